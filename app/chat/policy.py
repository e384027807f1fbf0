"""Who may do what with the tutor; every rule is pure."""

from datetime import datetime, timedelta

from app.chat.schemas import (
    AnswerInProgress,
    AnswerNotRetryable,
    AnswerStatus,
    TooManyAnswers,
)
from app.kit.errors import NotFound
from app.kit.principal import Principal

PACE_WINDOW = timedelta(minutes=1)


def can_see_conversation(principal: Principal, owner_id: int | None) -> None:
    """Owners only, moderators included. Raises NotFound: absent and hidden look the same."""
    if owner_id is None or owner_id != principal.user_id:
        raise NotFound("There is no such conversation")


def can_ask(answers: int, allowed: int, oldest: datetime | None, now: datetime) -> None:
    """At most `allowed` answers in a minute. Raises TooManyAnswers with `retry_after`."""
    if answers < allowed or oldest is None:
        return
    wait = (oldest + PACE_WINDOW - now).total_seconds()
    raise TooManyAnswers(
        retry_after=max(1, round(wait + 0.5)),
        policy="answers",
        limit=allowed,
        window=int(PACE_WINDOW.total_seconds()),
    )


def can_retry(status: AnswerStatus) -> None:
    """A turn that ended without a complete answer. Raises AnswerInProgress, AnswerNotRetryable."""
    if not status.is_final:
        raise AnswerInProgress
    if status is AnswerStatus.COMPLETED:
        raise AnswerNotRetryable("This answer is complete; ask a new question instead")
