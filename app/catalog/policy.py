"""Who may do what with the catalogue; reading it is everybody's right."""

from app.kit.errors import Forbidden
from app.kit.principal import Principal


def can_edit_catalog(principal: Principal) -> None:
    """Teachers and admins. Raises Forbidden."""
    if not principal.can_author:
        raise Forbidden("Only teachers and admins change the catalogue")
