"""The verbs of accounts: coming in, one's own account and sessions, and what admins do."""

from app.accounts.service.accounts import Accounts
from app.accounts.service.doorway import Doorway
from app.accounts.service.events import normal_email
from app.accounts.service.factors import FactorSettings
from app.accounts.service.federation import Federation
from app.accounts.service.identities import Identities
from app.accounts.service.impersonation import Impersonation
from app.accounts.service.keys import ApiKeys
from app.accounts.service.letterbox import Letterbox
from app.accounts.service.mailed import MailedLinks
from app.accounts.service.passkeys import Passkeys
from app.accounts.service.privacy import OwnData, Privacy, Room
from app.accounts.service.providers import federated_doors
from app.accounts.service.second_factors import second_factors
from app.accounts.service.sessions import Sessions
from app.accounts.service.throttle import DoorThrottle
from app.accounts.service.two_step import TwoStep
from app.accounts.service.user_admin import UserAdmin

__all__ = [
    "Accounts",
    "ApiKeys",
    "DoorThrottle",
    "Doorway",
    "FactorSettings",
    "Federation",
    "Identities",
    "Impersonation",
    "Letterbox",
    "MailedLinks",
    "OwnData",
    "Passkeys",
    "Privacy",
    "Room",
    "Sessions",
    "TwoStep",
    "UserAdmin",
    "federated_doors",
    "normal_email",
    "second_factors",
]
