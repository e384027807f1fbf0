"""Who may do what with accounts."""

from app.accounts.schemas import CannotImpersonate, FreshProofRequired
from app.kit.clock import now
from app.kit.errors import SecondFactorRequired
from app.kit.principal import Principal, Role, refusal


def can_manage_users(principal: Principal) -> None:
    """Admins only. Raises Forbidden, SecondFactorRequired."""
    if not principal.is_admin:
        raise refusal(principal, "Only admins manage accounts")


def can_impersonate(principal: Principal, role: Role, *, is_open: bool) -> None:
    """Admins, in the name of anybody with an open account who is none. Raises Forbidden,
    SecondFactorRequired, CannotImpersonate."""
    can_manage_users(principal)
    if role is Role.ADMIN:
        raise CannotImpersonate("Nobody enters in the name of an admin")
    if not is_open:
        raise CannotImpersonate("This account is closed")


def require_fresh(principal: Principal) -> None:
    """A dangerous act asks for a proof of identity that is not old (ASVS 5.0, 7.5.1, 7.5.3).

    An admin in somebody else's name has proved nothing as that person. Raises FreshProofRequired.
    """
    if principal.impersonator_id is not None or principal.fresh_until <= now().timestamp():
        raise FreshProofRequired


def can_make_keys(principal: Principal) -> None:
    """A key has its owner's role: whose office rests makes none that would have it.

    Raises FreshProofRequired, SecondFactorRequired.
    """
    require_fresh(principal)
    if principal.owes_second_factor:
        raise SecondFactorRequired
