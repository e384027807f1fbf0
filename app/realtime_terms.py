"""Our people and our errors in the terms of the realtime library, which knows neither."""

from app.infra.db import translate
from app.kit.errors import AppError
from app.kit.principal import Principal, Role
from realtime import Identity, RealtimeError

JUST_AFTER_S = 1.0


def role_of(who: Identity) -> Role | None:
    """The role with which somebody connected; None for nobody."""
    return who.context.role if isinstance(who.context, Principal) else None


def as_identity(principal: Principal) -> Identity:
    """A signed-in person as the realtime library knows them.

    The connection ends just after its session, so that a client which then asks anew is told the
    truth; one whose session was used meanwhile comes back at once and recovers.
    """
    ends_at = principal.session_ends_at
    return Identity(
        user=str(principal.user_id),
        session=principal.session_id,
        expires_at=None if ends_at is None else ends_at + JUST_AFTER_S,
        context=principal,
    )


def as_realtime_error(fault: Exception) -> RealtimeError | None:
    """An expected failure, of ours or of the driver, as the protocol's error."""
    known = fault if isinstance(fault, AppError) else translate(fault)
    if known is None:
        return None
    return RealtimeError(known.socket_code, known.code, temporary=known.is_temporary)
