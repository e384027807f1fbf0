"""Who may do what with accounts."""

from app.accounts.schemas import CannotImpersonate
from app.kit.errors import Forbidden
from app.kit.principal import Principal, Role


def can_manage_users(principal: Principal) -> None:
    """Admins only. Raises Forbidden."""
    if not principal.is_admin:
        raise Forbidden("Only admins manage accounts")


def can_impersonate(principal: Principal, role: Role, *, is_open: bool) -> None:
    """Admins, in the name of anybody with an open account who is none. Raises Forbidden,
    CannotImpersonate."""
    can_manage_users(principal)
    if role is Role.ADMIN:
        raise CannotImpersonate("Nobody enters in the name of an admin")
    if not is_open:
        raise CannotImpersonate("This account is closed")
