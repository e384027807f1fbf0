"""Sends an answer's events in order, its text coalesced; outlives an outage of the broker."""

import asyncio
from typing import Protocol

import msgspec
import structlog

from app.chat.schemas import Delta, Event
from realtime import BrokerUnavailable

log = structlog.get_logger(__name__)

COALESCE_S = 0.03
"""One publication for what a model says in this time; the eye sees no difference."""
RETRY_S = 0.5
PUBLISH_TIMEOUT_S = 2.0

encode = msgspec.json.Encoder().encode


class TailPublisher(Protocol):
    """The part of the realtime node that a writer needs."""

    async def publish_tail(self, channel: str, data: bytes) -> int:
        """Add to the channel's stream. Raises BrokerUnavailable."""
        ...


def channel_of(conversation_id: str) -> str:
    """Where the answers of a conversation are followed."""
    return f"chat:{conversation_id}"


class EventStream:
    """The text of one attempt and how far it has been published.

    What could not be published waits: once the broker is back, it goes out as one longer delta. The
    text is bounded by the model's limits, the events by the few kinds there are.
    """

    def __init__(
        self, publisher: TailPublisher, conversation_id: str, message_id: int, attempt: int
    ) -> None:
        self.text = ""
        self._publisher = publisher
        self._conversation_id = conversation_id
        self._message_id = message_id
        self._attempt = attempt
        self._waiting: list[Event] = []
        self._published = 0
        self._dirty = asyncio.Event()
        self._away = False

    def send(self, event: Event) -> None:
        """Publish before any later text."""
        self._waiting.append(event)
        self._dirty.set()

    def write(self, text: str) -> None:
        """Add to the answer."""
        if text:
            self.text += text
            self._dirty.set()

    async def run(self) -> None:
        """Publish until cancelled: at once after a pause, then at most once per window."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if await self._flush():
                await asyncio.sleep(COALESCE_S)
            else:
                self._dirty.set()
                await asyncio.sleep(RETRY_S)

    async def close(self, *last: Event) -> None:
        """Publish the rest and the last word, once; who misses it finds both in the database."""
        await self._flush()
        self._waiting.extend(last)
        await self._flush()

    async def _flush(self) -> bool:
        """Whether everything is out."""
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                while self._waiting:
                    await self._publish(self._waiting[0])
                    del self._waiting[0]
                if self._published < len(self.text):
                    await self._publish_text()
        except (BrokerUnavailable, TimeoutError) as fault:
            if not self._away:
                log.warning("answer.unpublished", message_id=self._message_id, reason=repr(fault))
            self._away = True
            return False
        self._away = False
        return True

    async def _publish_text(self) -> None:
        text = self.text
        delta = Delta(
            conversation_id=self._conversation_id,
            message_id=self._message_id,
            attempt=self._attempt,
            pos=self._published,
            text=text[self._published :],
        )
        await self._publish(delta)
        self._published = len(text)

    async def _publish(self, event: Event) -> None:
        await self._publisher.publish_tail(channel_of(self._conversation_id), encode(event))


async def announce(publisher: TailPublisher, event: Event) -> None:
    """Publish one event; in an outage its followers find it in the database."""
    try:
        async with asyncio.timeout(PUBLISH_TIMEOUT_S):
            await publisher.publish_tail(channel_of(event.conversation_id), encode(event))
    except (BrokerUnavailable, TimeoutError) as fault:
        log.warning("answer.unpublished", message_id=event.message_id, reason=repr(fault))
