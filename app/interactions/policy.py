"""Who may do what with interactions; everyone signed in counts and reads a book's counts."""

from app.kit.principal import Principal, refusal


def can_see_library_stats(principal: Principal) -> None:
    """Teachers and admins. Raises Forbidden, SecondFactorRequired."""
    if not principal.can_author:
        raise refusal(principal, "Only teachers and admins see the figures of the whole library")
