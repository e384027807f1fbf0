"""Who may do what with accounts."""

from app.kit.errors import Forbidden
from app.kit.principal import Principal


def can_manage_users(principal: Principal) -> None:
    """Admins only. Raises Forbidden."""
    if not principal.is_admin:
        raise Forbidden("Only admins manage accounts")
