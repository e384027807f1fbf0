"""The verbs of accounts: coming in, one's own account and sessions, and what admins do."""

from app.accounts.service.accounts import Accounts
from app.accounts.service.doorway import Doorway
from app.accounts.service.events import normal_email
from app.accounts.service.federation import Federation
from app.accounts.service.identities import Identities
from app.accounts.service.keys import ApiKeys
from app.accounts.service.sessions import Sessions
from app.accounts.service.throttle import DoorThrottle
from app.accounts.service.user_admin import UserAdmin

__all__ = [
    "Accounts",
    "ApiKeys",
    "DoorThrottle",
    "Doorway",
    "Federation",
    "Identities",
    "Sessions",
    "UserAdmin",
    "normal_email",
]
