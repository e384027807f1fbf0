"""The services of second factors, put together from what they share."""

from app.accounts.service.doorway import Doorway
from app.accounts.service.events import EndSockets
from app.accounts.service.factors import FactorSettings
from app.accounts.service.letterbox import Letterbox
from app.accounts.service.passkeys import Passkeys
from app.accounts.service.proofs import Proofs
from app.accounts.service.sessions import Sessions
from app.accounts.service.throttle import DoorThrottle
from app.accounts.service.two_step import TwoStep
from app.audit.service import Audit
from app.infra.db import Database
from app.infra.passwords import Passwords
from app.settings import Settings


def second_factors(
    db: Database,
    sessions: Sessions,
    doorway: Doorway,
    passwords: Passwords,
    throttle: DoorThrottle,
    audit: Audit,
    letterbox: Letterbox,
    settings: Settings,
    *,
    end_user_sockets: EndSockets,
) -> tuple[TwoStep, FactorSettings, Passkeys]:
    """Proofs beyond the first, one's own factors, and passkeys."""
    waits_s = settings.second_step_s
    proofs = Proofs(settings.secret, challenge_s=waits_s)
    two_step = TwoStep(db, sessions, doorway, proofs, passwords, throttle, audit, letterbox)
    factors = FactorSettings(
        db,
        sessions,
        proofs,
        throttle,
        audit,
        letterbox,
        staff_needs_two=settings.require_staff_second_factor,
        end_user_sockets=end_user_sockets,
    )
    passkeys = Passkeys(
        db, sessions, doorway, proofs, factors, throttle, audit, letterbox, challenge_s=waits_s
    )
    return two_step, factors, passkeys
