"""Who may read the audit log."""

from app.kit.principal import Principal, refusal


def can_read_audit(principal: Principal) -> None:
    """Admins only. Raises Forbidden, SecondFactorRequired."""
    if not principal.is_admin:
        raise refusal(principal, "Only admins read the audit log")
