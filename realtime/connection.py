"""Drives one session over a transport: incoming frames, outgoing queue, commands, the end.

Knows nothing of WebSockets; a `Transport` brings the bytes to the other side.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from realtime import codes
from realtime.actions import Action, Close, Join, Leave, Send, Work
from realtime.codes import Disconnect, RealtimeError
from realtime.model import Limits
from realtime.outbox import Outbox
from realtime.protocol import Frame, PushWriter, SubscribeResult
from realtime.session import Session
from realtime.tasks import TaskGroup


class TransportClosed(Exception):
    """The other side is gone; nothing more can be sent."""


class Transport(Protocol):
    """The way to one client. `send` may block; `abort` never does."""

    async def send(self, frames: Sequence[Frame]) -> None:
        """Hand frames over in order; raises TransportClosed when the client is gone."""

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye with a code."""

    def abort(self) -> None:
        """Drop the connection at once, whatever is still buffered."""


class Clock(Protocol):
    """Seconds that only go forward."""

    def __call__(self) -> float: ...


class Executor(Protocol):
    """Does the work a session cannot do itself; see `realtime.commands`."""

    async def run(self, connection: "Connection", work: Work) -> None:
        """Do the work and answer through the connection; raises RealtimeError to refuse."""

    def explain(self, error: Exception) -> RealtimeError:
        """Turn any failure into the refusal a client may see."""

    def ended(self, connection: "Connection") -> None:
        """Forget the connection everywhere."""


class Connection:
    """One client: its session, its queue, and the tasks that answer its commands."""

    __slots__ = (
        "_clock",
        "_close",
        "_executor",
        "_lanes",
        "_limits",
        "_lost",
        "_outbox",
        "_sending",
        "_tasks",
        "_transport",
        "checked_at",
        "memberships",
        "session",
    )

    def __init__(
        self,
        session: Session,
        transport: Transport,
        executor: Executor,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self.session = session
        self._transport = transport
        self._executor = executor
        self._limits = limits
        self._clock = clock
        self._outbox = Outbox(limits.outgoing_max_bytes, limits.outgoing_max_frames)
        self._tasks = TaskGroup()
        self._lanes: dict[str, asyncio.Task[None]] = {}
        """The last unfinished subscribe or unsubscribe of each channel: they keep their order."""
        self.memberships: set[str] = set()
        """Channels whose publications reach this connection."""
        self.checked_at = clock()
        """When the preset identity was read."""
        self._close: Disconnect | None = None
        self._lost = False
        self._sending: asyncio.Timeout | None = None

    # -- what the transport's shell calls ------------------------------------------------------

    def receive(self, frame: str | bytes) -> None:
        """Take one incoming frame."""
        self.perform(self.session.receive(frame, self._clock()))

    def lost(self) -> None:
        """Note that the client has gone."""
        self._lost = True
        self.session.lost()
        self._interrupt()

    async def run(self) -> None:
        """Write until the connection ends; then leave nothing behind."""
        try:
            await self._write_until_closed()
            await self._say_goodbye()
        finally:
            self.session.lost()
            self._executor.ended(self)
            await self._tasks.stop()

    # -- what the hub and the executor call ------------------------------------------------------

    def push(self, frame: Frame) -> None:
        """Queue one frame; a queue over its bound ends the connection, and an ended one is deaf."""
        if self._close is None and not self._lost and not self._outbox.push(frame):
            self._too_slow()

    def disconnect(self, disconnect: Disconnect) -> None:
        """End the connection with this code."""
        self.perform(self.session.close(disconnect))

    def tick(self) -> None:
        """Let the session look at the clock."""
        now = self._clock()
        if now >= self.session.deadline:
            self.perform(self.session.tick(now))

    def perform(self, actions: list[Action]) -> None:
        """Carry out what the session asks for."""
        for action in actions:
            match action:
                case Send(frame=frame):
                    self.push(frame)
                case Close(disconnect=disconnect):
                    self._close = disconnect
                    self._outbox.wake()
                case _:
                    self._start(action)

    def subscribed(self, command_id: int, channel: str, result: SubscribeResult) -> None:
        """Answer a `subscribe`; publications pushed after this call follow the answer."""
        self.memberships.add(channel)
        self.perform(self.session.subscribed(command_id, channel, result))

    def unsubscribed(self, command_id: int, channel: str) -> None:
        """Answer an `unsubscribe`."""
        self.memberships.discard(channel)
        self.perform(self.session.unsubscribed(command_id, channel))

    def lose_channel(self, channel: str, reason: codes.Unsubscribed) -> None:
        """End one subscription from our side and say why."""
        self.memberships.discard(channel)
        self.session.channels.pop(channel, None)
        self.push(PushWriter(channel).unsubscribed(reason))

    # -- inside ------------------------------------------------------------------------------

    def _start(self, work: Work) -> None:
        channel = _lane(work)
        before = self._lanes.get(channel) if channel else None
        task = self._tasks.start(self._answer(work, before), f"command {type(work).__name__}")
        if channel:
            self._lanes[channel] = task
            task.add_done_callback(lambda done: self._leave_lane(channel, done))

    def _leave_lane(self, channel: str, done: asyncio.Task[None]) -> None:
        if self._lanes.get(channel) is done:
            del self._lanes[channel]

    async def _answer(self, work: Work, before: asyncio.Task[None] | None) -> None:
        """Run one command to its answer; whatever goes wrong is an answer too."""
        try:
            async with asyncio.timeout(self._limits.command_timeout_s):
                if before is not None:
                    await asyncio.wait({before})
                await self._executor.run(self, work)
        except Exception as error:  # noqa: BLE001  last resort: `explain` logs what it hides
            self._refuse(work, self._executor.explain(error))

    def _refuse(self, work: Work, refusal: RealtimeError) -> None:
        if not isinstance(work, Join):
            self.perform(self.session.refused(work.id, refusal))
        elif work.request.channel not in self.memberships:
            # A member was answered already: only its presence failed.
            self.perform(self.session.join_refused(work.id, work.request.channel, refusal))

    async def _write_until_closed(self) -> None:
        while self._close is None and not self._lost:
            await self._outbox.wait()
            if self._close is None and not self._lost:
                await self._flush(self._limits.write_timeout_s)

    async def _flush(self, timeout_s: float) -> None:
        """Hand the queue to the transport; one that accepts nothing for so long is too slow."""
        frames = self._outbox.take()
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                self._sending = deadline
                try:
                    await self._transport.send(frames)
                finally:
                    self._sending = None
        except TransportClosed:
            self.lost()
        except TimeoutError:
            self._too_slow()

    def _too_slow(self) -> None:
        """Speak the verdict once; what waits would never be read."""
        self._outbox.clear()
        self.perform(self.session.close(codes.SLOW))
        self._interrupt()

    def _interrupt(self) -> None:
        """Wake the writer, also out of a send that would block for ever."""
        if self._sending is not None and not self._sending.expired():
            self._sending.reschedule(0)
        self._outbox.wake()

    async def _say_goodbye(self) -> None:
        """Flush, close, and in any case let the transport go."""
        try:
            if self._close is not None and not self._lost:
                if len(self._outbox):
                    await self._flush(self._limits.close_timeout_s)
                async with asyncio.timeout(self._limits.close_timeout_s):
                    await self._transport.close(self._close.code, self._close.reason)
        except (TransportClosed, TimeoutError):
            self._transport.abort()


def _lane(work: Work) -> str:
    match work:
        case Join(request=request):
            return request.channel
        case Leave(channel=channel):
            return channel
    return ""
