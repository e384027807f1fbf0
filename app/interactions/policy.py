"""Who may do what with interactions; everyone signed in counts and reads a book's counts."""

from app.kit.errors import Forbidden
from app.kit.principal import Principal


def can_see_library_stats(principal: Principal) -> None:
    """Teachers and admins. Raises Forbidden."""
    if not principal.can_author:
        raise Forbidden("Only teachers and admins see the figures of the whole library")
