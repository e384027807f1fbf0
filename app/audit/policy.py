"""Who may read the audit log."""

from app.kit.errors import Forbidden
from app.kit.principal import Principal


def can_read_audit(principal: Principal) -> None:
    """Admins only. Raises Forbidden."""
    if not principal.is_admin:
        raise Forbidden("Only admins read the audit log")
