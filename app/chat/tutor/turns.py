"""A turn as its row tells it, and the last word on an attempt."""

from collections.abc import Mapping
from typing import Any

import msgspec

from app.chat.schemas import (
    AnswerStatus,
    Completed,
    Failed,
    Interrupted,
    Message,
    Source,
    Stopped,
    Terminal,
)


def sources_from(value: Any) -> list[Source]:
    """The sources as they stand in a row."""
    return msgspec.convert(value, list[Source])


def message_from(row: Mapping[str, Any]) -> Message:
    """One turn as it stands in a row."""
    return Message(
        id=row["id"],
        conversation_id=row["conversation_id"],
        user_message=row["user_message"],
        ai_response=row["ai_response"],
        status=AnswerStatus(row["status"]),
        sources=sources_from(row["sources"]),
        model=row["model"],
        error=row["error"],
        attempt=row["attempt"],
        created_at=row["created_at"],
    )


def terminal_of(message: Message) -> Terminal | None:
    """The last word on a turn, None while somebody is still to write it."""
    if not message.status.is_final:
        return None
    common: dict[str, Any] = {
        "conversation_id": message.conversation_id,
        "message_id": message.id,
        "attempt": message.attempt,
        "text": message.ai_response,
        "sources": message.sources,
    }
    match message.status:
        case AnswerStatus.COMPLETED:
            return Completed(**common)
        case AnswerStatus.STOPPED:
            return Stopped(**common)
        case AnswerStatus.FAILED:
            return Failed(**common, error=message.error or "internal")
        case _:
            return Interrupted(**common, error=message.error or "worker-lost")


def last_word(row: Mapping[str, Any]) -> Terminal:
    """The event for a row that has just been given its final status."""
    terminal = terminal_of(message_from(row))
    assert terminal is not None
    return terminal
