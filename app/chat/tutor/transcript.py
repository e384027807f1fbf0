"""Joins what the database keeps of an answer with what has been published since. Pure, no I/O."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from app.chat.schemas import (
    AnswerStatus,
    Delta,
    Event,
    Message,
    ModelInfo,
    SourcesFound,
    Started,
    Terminal,
)

_decode = msgspec.json.Decoder(Event).decode


def decode_event(data: bytes) -> Event:
    """What was published."""
    event: Event = _decode(data)
    return event


def extended(text: str, pos: int, more: str) -> str | None:
    """The text with a delta applied; twice is harmless, None when something lies between."""
    if pos > len(text):
        return None
    return text + more[len(text) - pos :]


def merge(messages: Sequence[Message], events: Iterable[Event]) -> list[Message]:
    """The turns with the text so far: rows read after `events` were, extended by their deltas."""
    running = {m.id: m for m in messages if m.status is AnswerStatus.RUNNING}
    for event in events:
        message = running.get(event.message_id)
        if message is None or not isinstance(event, Delta) or event.attempt != message.attempt:
            continue
        text = extended(message.ai_response, event.pos, event.text)
        if text is not None:
            running[message.id] = replace(message, ai_response=text)
    return [running.get(message.id, message) for message in messages]


class Follower:
    """What one reader of one answer has been told, and what to tell it next.

    It takes live events and states in any order, any number of times, and gives each part once.
    """

    def __init__(self, message_id: int, *, attempt: int = 0, pos: int = 0) -> None:
        self.message_id = message_id
        self.attempt = attempt
        self.pos = pos
        self.is_done = False
        self.has_hole = False
        self._has_started = attempt > 0
        self._has_sources = attempt > 0

    def take_event(self, event: Event) -> list[Event]:
        """A live event."""
        if event.message_id != self.message_id or self.is_done or event.attempt < self.attempt:
            return []
        self._enter(event.attempt)
        match event:
            case Started():
                return self._started(event)
            case SourcesFound():
                return self._sources(event)
            case Delta():
                return self._delta(event)
            case _:
                return self._end(event)

    def take_state(
        self, message: Message, model: ModelInfo, terminal: Terminal | None
    ) -> list[Event]:
        """The answer as the database and the tail know it; closes every hole up to there."""
        if self.is_done or message.attempt < self.attempt or message.status is AnswerStatus.QUEUED:
            return []
        self._enter(message.attempt)
        conversation_id, message_id = message.conversation_id, message.id
        common = (conversation_id, message_id, message.attempt)
        told: list[Event] = []
        told += self._started(_started(common, message, model))
        if message.sources or terminal is not None:
            told += self._sources(_sources(common, message))
        told += self._delta(_delta(common, message.ai_response))
        self.has_hole = False
        return told if terminal is None else told + self._end(terminal)

    def _enter(self, attempt: int) -> None:
        if attempt > self.attempt:
            self.attempt, self.pos, self.has_hole = attempt, 0, False
            self._has_started = self._has_sources = False

    def _started(self, event: Started) -> list[Event]:
        known, self._has_started = self._has_started, True
        return [] if known else [event]

    def _sources(self, event: SourcesFound) -> list[Event]:
        known, self._has_sources = self._has_sources, True
        return [] if known else [event]

    def _delta(self, event: Delta) -> list[Event]:
        if event.pos > self.pos:
            self.has_hole = True
            return []
        fresh = event.text[self.pos - event.pos :]
        if not fresh:
            return []
        told = replace(event, pos=self.pos, text=fresh)
        self.pos += len(fresh)
        return [told]

    def _end(self, event: Terminal) -> list[Event]:
        """The last word brings the whole text, so nothing can be missing before it."""
        rest = self._delta(
            _delta((event.conversation_id, event.message_id, event.attempt), event.text)
        )
        self.is_done = True
        return [*rest, event]


Common = tuple[str, int, int]


def _started(common: Common, message: Message, model: ModelInfo) -> Started:
    return Started(
        conversation_id=common[0],
        message_id=common[1],
        attempt=common[2],
        user_message=message.user_message,
        model=model,
    )


def _sources(common: Common, message: Message) -> SourcesFound:
    return SourcesFound(
        conversation_id=common[0],
        message_id=common[1],
        attempt=common[2],
        sources=message.sources,
    )


def _delta(common: Common, text: str) -> Delta:
    return Delta(
        conversation_id=common[0], message_id=common[1], attempt=common[2], pos=0, text=text
    )
