"""Who may do what with accounts."""

from app.kit.errors import Forbidden
from app.kit.principal import Principal


def require_fresh(principal: Principal) -> None:
    """Stands in until the real one comes."""
    if principal.impersonator_id is not None:
        raise Forbidden


def can_manage_users(principal: Principal) -> None:
    """Admins only. Raises Forbidden."""
    if not principal.is_admin:
        raise Forbidden("Only admins manage accounts")
