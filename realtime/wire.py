"""Writes to one socket at once while the kernel takes it, and into a bounded queue when not.

The bytes go straight to the descriptor; the event loop's transport carries only what was not taken.
Nothing is ever written beside a transport that still has bytes of ours, and never beside TLS.
"""

import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from realtime.model import Limits

if TYPE_CHECKING:
    from realtime.fanout import Fanout

NO_LINGER = struct.pack("ii", 1, 0)
"""On, zero seconds: the unsent rest is thrown away (socket(7))."""
NO_DESCRIPTOR = -1
WRITE_AT_ONCE = 256 * 1024
"""Bytes of a backlog that are offered to the kernel in one call."""


class Owner(Protocol):
    """Whoever speaks the verdict over a client that does not read."""

    def too_slow(self) -> None:
        """The queue is over its bound, or nothing moved for too long."""


class Wire:
    """The way to one socket."""

    __slots__ = (
        "_bytes",
        "_clock",
        "_corked",
        "_ended",
        "_fanout",
        "_fd",
        "_frames",
        "_left",
        "_limits",
        "_since",
        "_transport",
        "_waiting",
        "owner",
        "slot",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        fanout: "Fanout",
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._fanout = fanout
        self._limits = limits
        self._clock = clock
        self._fd = _descriptor(transport)
        self._waiting: deque[tuple[bytes, int]] | None = None
        """None while the socket takes everything at once."""
        self._bytes = self._frames = self._left = 0
        self._since = 0.0
        self._corked: list[bytes] | None = None
        """Replies that gather while a frame of the client is worked on."""
        self._ended = False
        self.owner: Owner | None = None
        self.slot = fanout.admit(self)
        transport.set_write_buffer_limits(high=0)
        if transport.get_write_buffer_size():
            self._stall()
            self._go_on_soon()
        else:
            fanout.cells[self.slot] = self._fd

    def write(self, data: bytes, frames: int = 1) -> None:
        """Send, behind what waits; nothing follows the last bytes.

        A write that nothing waits before may be of any size: or nobody could be told a large state.
        """
        if self._ended:
            return
        if self._corked is not None:
            self._corked.append(data)
        elif self._waiting is not None:
            self._queue(data, frames)
        elif self._fd < 0:
            self._transport.write(data)
        else:
            self._took(self._offer(data), data)

    def took(self, sent: int, data: bytes, frames: int) -> None:
        """Note what a broadcast could send: a part, nothing, or -1 for a broken socket."""
        if self._ended or self._is_held or self._fd < 0:
            self.write(data, frames)
        else:
            self._took(sent, data)
            self._judge()

    @property
    def is_crowded(self) -> bool:
        """Tell whether more than half of what may wait does so."""
        size = self._bytes + self._transport.get_write_buffer_size()
        size += sum(map(len, self._corked or ()))
        limits = self._limits
        return (
            size > limits.outgoing_max_bytes // 2 or self._frames > limits.outgoing_max_frames // 2
        )

    def cork(self) -> None:
        """Let replies gather, and publications behind them, until `uncork`."""
        if self._corked is None and self._waiting is None and not self._ended:
            self._corked = []
            self._fanout.cells[self.slot] = NO_DESCRIPTOR

    def uncork(self, *, later: bool = False) -> None:
        """Send what gathered as one write; `later`: with what the loop's next step brings."""
        if self._corked is not None and later:
            asyncio.get_running_loop().call_soon(self.uncork)
            return
        corked, self._corked = self._corked, None
        if corked is None or self._ended:
            return
        if self._waiting is None:
            self._fanout.cells[self.slot] = self._fd
        if corked:
            self.write(corked[0] if len(corked) == 1 else b"".join(corked), len(corked))

    @property
    def _is_held(self) -> bool:
        return self._corked is not None or self._waiting is not None

    def finish(self, farewell: bytes, *, flush: bool) -> None:
        """Send the last bytes; a backlog that will never be read is not waited for."""
        if self._ended:
            return
        self._fanout.cells[self.slot] = NO_DESCRIPTOR
        waiting, corked = self._waiting or (), self._corked or ()
        rest = b"".join([*(data for data, _ in waiting), *corked]) if flush else b""
        self._corked = None
        if self._waiting is not None:
            self._settle()
            self._transport.write(rest + farewell)
        else:
            self.write(rest + farewell)
        self._ended = True

    def abort(self) -> None:
        """Drop the connection and what the kernel holds of it: a reset, no slow farewell."""
        if self.slot < 0:
            return
        self._fanout.cells[self.slot] = NO_DESCRIPTOR
        peer = self._transport.get_extra_info("socket")
        if peer is not None and not self._transport.is_closing():
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._ended = True
        self._transport.abort()

    def lost(self) -> None:
        """Give the slot back: the descriptor may be somebody else's in a moment."""
        self._ended = True
        self._corked = None
        self._settle()
        self._fanout.release(self.slot)
        self.slot = NO_DESCRIPTOR
        self.owner = None

    # -- when the client does not keep up ------------------------------------------------------

    def paused(self) -> None:
        """The transport has bytes that the kernel does not take (also the only sign under TLS)."""
        if self._waiting is None:
            self._stall()
            self._go_on_soon()

    def resumed(self) -> None:
        """The transport is empty: go on with what waits here."""
        if self._waiting is None or self._transport.get_write_buffer_size():
            return
        self._since = self._clock()
        while self._waiting:
            data = self._next()
            sent = self._offer(data) if self._fd >= 0 else 0
            if sent < 0:
                self.abort()
                return
            if sent < len(data):
                self._hand_over(memoryview(data)[sent:])
                return
        self._settle()
        if self._corked is None:
            self._fanout.cells[self.slot] = self._fd

    def look(self, now: float) -> None:
        """Speak the verdict when nothing has moved for the write timeout."""
        left = self._transport.get_write_buffer_size()
        if not left:
            self.resumed()
        elif left < self._left:
            self._left, self._since = left, now
        elif now - self._since >= self._limits.write_timeout_s and self.owner is not None:
            self.owner.too_slow()

    def _go_on_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self.resumed)

    def _offer(self, data: bytes) -> int:
        try:
            return os.write(self._fd, data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return -1

    def _took(self, sent: int, data: bytes) -> None:
        if sent == len(data):
            return
        if sent < 0:
            self.abort()
            return
        self._stall()
        self._hand_over(memoryview(data)[sent:])

    def _stall(self) -> None:
        self._waiting = deque()
        self._bytes = self._frames = 0
        self._since = self._clock()
        self._left = self._transport.get_write_buffer_size()
        self._fanout.cells[self.slot] = NO_DESCRIPTOR
        self._fanout.stalled[self] = None

    def _settle(self) -> None:
        self._waiting = None
        self._fanout.stalled.pop(self, None)

    def _hand_over(self, rest: memoryview) -> None:
        """Let the transport wait for the kernel; it may have gone through by the next step.

        A view: a hundred readers that stall at once share the bytes they did not take.
        """
        self._transport.write(rest)
        self._left = self._transport.get_write_buffer_size()
        self._go_on_soon()

    def _queue(self, data: bytes, frames: int) -> None:
        assert self._waiting is not None
        self._waiting.append((data, frames))
        self._bytes += len(data)
        self._frames += frames
        self._judge()

    def _next(self) -> bytes:
        """Take as much of the backlog as is offered in one call."""
        assert self._waiting is not None
        parts: list[bytes] = []
        size = 0
        while self._waiting and size < WRITE_AT_ONCE:
            data, frames = self._waiting.popleft()
            parts.append(data)
            size += len(data)
            self._frames -= frames
        self._bytes -= size
        return b"".join(parts)

    def _judge(self) -> None:
        size = self._bytes + self._transport.get_write_buffer_size()
        limits = self._limits
        is_over = size > limits.outgoing_max_bytes or self._frames > limits.outgoing_max_frames
        if is_over and self.owner is not None:
            self.owner.too_slow()


def _descriptor(transport: asyncio.Transport) -> int:
    peer = transport.get_extra_info("socket")
    if peer is None or transport.get_extra_info("ssl_object") is not None:
        return NO_DESCRIPTOR
    return int(peer.fileno())
