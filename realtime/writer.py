"""Writes a connection's queue to a transport that may block: one task for each connection.

For every server and for streams over HTTP. Sockets that were detached have a wire instead.
"""

import asyncio

from realtime.codes import Disconnect
from realtime.model import Limits
from realtime.outbox import Outbox
from realtime.protocol import Frame
from realtime.transport import Owner, Transport, TransportClosed


class Writer:
    """The queue of one connection and the task that empties it."""

    __slots__ = ("_close", "_gone", "_limits", "_outbox", "_owner", "_sending", "_transport")

    slot = -1

    def __init__(self, transport: Transport, limits: Limits) -> None:
        self._transport = transport
        self._limits = limits
        self._outbox = Outbox(limits.outgoing_max_bytes, limits.outgoing_max_frames)
        self._owner: Owner | None = None
        self._close: Disconnect | None = None
        self._gone = False
        self._sending: asyncio.Timeout | None = None

    def bind(self, owner: Owner) -> None:
        """Learn whose way out this is."""
        self._owner = owner

    @property
    def is_crowded(self) -> bool:
        """Tell whether much waits."""
        return self._outbox.is_crowded

    def push(self, frame: Frame) -> None:
        """Queue one frame; a queue over its bound ends the connection."""
        if not self._outbox.push(frame) and self._owner is not None:
            self._owner.too_slow()

    def close(self, disconnect: Disconnect, *, flush: bool) -> None:
        """Have the goodbye said; what would never be read is forgotten."""
        self._close = disconnect
        if flush:
            self._outbox.wake()
        else:
            self._outbox.clear()
            self._interrupt()

    def gone(self) -> None:
        """End the task."""
        self._gone = True
        self._interrupt()

    async def run(self) -> None:
        """Write until the end."""
        while self._close is None and not self._gone:
            await self._outbox.wait()
            if self._close is None and not self._gone:
                await self._flush(self._limits.write_timeout_s)
        await self._say_goodbye()
        self._owner = None

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
            if self._owner is not None:
                self._owner.lost()
        except TimeoutError:
            if self._owner is not None:
                self._owner.too_slow()

    def _interrupt(self) -> None:
        """Wake the task, also out of a send that would block for ever."""
        if self._sending is not None and not self._sending.expired():
            self._sending.reschedule(0)
        self._outbox.wake()

    async def _say_goodbye(self) -> None:
        """Flush, close, and in any case let the transport go."""
        try:
            if self._close is not None and not self._gone:
                if len(self._outbox):
                    await self._flush(self._limits.close_timeout_s)
                async with asyncio.timeout(self._limits.close_timeout_s):
                    await self._transport.close(self._close.code, self._close.reason)
        except (TransportClosed, TimeoutError):
            self._transport.abort()
