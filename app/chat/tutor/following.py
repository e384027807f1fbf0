"""Follows one answer for an HTTP reader: live from the tail, made whole from the database.

Redis may be away the whole time: the database is read every second anyway, so the text arrives in
larger steps then. The reader's going away stops nothing but the following.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from app.chat.schemas import Event, Message, ModelInfo
from app.chat.tutor.events import TailPublisher, channel_of
from app.chat.tutor.transcript import Follower, decode_event, merge
from app.chat.tutor.turns import terminal_of
from app.kit.tasks import end_task
from realtime import BrokerUnavailable, Publication, RealtimeError
from realtime import Follower as TailFollower

log = structlog.get_logger(__name__)

POLL_S = 1.0
TAIL_TIMEOUT_S = 2.0


class Tail(TailPublisher, Protocol):
    """The part of the realtime node that the tutor needs."""

    async def tail_history(
        self, channel: str, after: int = 0
    ) -> tuple[list[Publication], int, str]:
        """Publications, head offset, epoch. Raises BrokerUnavailable."""
        ...

    async def tail_subscribe(self, channel: str, after: int | None = None) -> TailFollower:
        """Follow inside this process. Raises BrokerUnavailable, RealtimeError."""
        ...

    async def drop_tail(self, channel: str) -> None:
        """Forget the stream."""
        ...


TAIL_AWAY = (BrokerUnavailable, RealtimeError, TimeoutError)

ReadTurn = Callable[[int], Awaitable[Message | None]]


async def published(tail: Tail, conversation_id: str) -> tuple[list[Event], int, str]:
    """What the tail still holds, its offset and epoch; nothing while the broker is away."""
    try:
        async with asyncio.timeout(TAIL_TIMEOUT_S):
            publications, offset, epoch = await tail.tail_history(channel_of(conversation_id))
    except TAIL_AWAY as fault:
        log.warning("chat.tail-away", reason=repr(fault))
        return [], 0, ""
    return [decode_event(publication.data) for publication in publications], offset, epoch


async def follow(
    tail: Tail, read_turn: ReadTurn, message: Message, model: ModelInfo, seen: tuple[int, int]
) -> AsyncIterator[Event | None]:
    """Every event of an answer from `seen` (attempt, position) to its terminal one.

    None means: nothing new for a while. Ends early only when the turn is deleted.
    """
    follower = Follower(message.id, attempt=seen[0], pos=seen[1])
    live = _Live(tail, message.conversation_id)
    try:
        await live.open()
        while not follower.is_done:
            told = await _catch_up(tail, read_turn, follower, message, model)
            if told is None:
                return
            for event in told:
                yield event
            quiet = not told
            while not follower.is_done and not follower.has_hole:
                arrived = await live.next(POLL_S)
                if arrived is None:
                    break
                for event in follower.take_event(arrived):
                    quiet = False
                    yield event
            if quiet:
                yield None
    finally:
        await live.close()


async def _catch_up(
    tail: Tail, read_turn: ReadTurn, follower: Follower, message: Message, model: ModelInfo
) -> Sequence[Event] | None:
    """What the database and the tail know beyond what was told; None when the turn is gone."""
    events, _, _ = await published(tail, message.conversation_id)
    row = await read_turn(message.id)
    if row is None:
        return None
    (known,) = merge([row], events)
    return follower.take_state(known, model, terminal_of(known))


class _Live:
    """The tail's live events, or silence while the broker is away."""

    def __init__(self, tail: Tail, conversation_id: str) -> None:
        self._tail = tail
        self._channel = channel_of(conversation_id)
        self._follower: TailFollower | None = None
        self._next: asyncio.Task[Publication] | None = None

    async def open(self) -> None:
        """Join before the state is read, so that nothing falls between the two."""
        try:
            async with asyncio.timeout(TAIL_TIMEOUT_S):
                self._follower = await self._tail.tail_subscribe(self._channel)
        except TAIL_AWAY as fault:
            log.warning("chat.tail-away", reason=repr(fault))

    async def next(self, seconds: float) -> Event | None:
        """The next event, or None after so many seconds without one."""
        if self._follower is None:
            await asyncio.sleep(seconds)
            await self.open()
            return None
        if self._next is None:
            self._next = asyncio.create_task(_take(self._follower))
        done, _ = await asyncio.wait({self._next}, timeout=seconds)
        if not done:
            return None
        task, self._next = self._next, None
        try:
            return decode_event(task.result().data)
        except TAIL_AWAY as fault:
            log.warning("chat.tail-lost", reason=repr(fault))
            await self._leave()
            return None

    async def close(self) -> None:
        """Leave; nothing runs on."""
        if self._next is not None:
            await end_task(self._next)
        await self._leave()

    async def _leave(self) -> None:
        follower, self._follower = self._follower, None
        if follower is not None:
            await follower.aclose()


async def _take(follower: TailFollower) -> Publication:
    try:
        return await anext(follower)
    except StopAsyncIteration as end:  # a task cannot raise it
        raise BrokerUnavailable("the follower was closed") from end
