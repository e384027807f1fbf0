"""Who may do what with the catalogue; reading it is everybody's right."""

from app.kit.principal import Principal, refusal


def can_edit_catalog(principal: Principal) -> None:
    """Teachers and admins. Raises Forbidden, SecondFactorRequired."""
    if not principal.can_author:
        raise refusal(principal, "Only teachers and admins change the catalogue")
