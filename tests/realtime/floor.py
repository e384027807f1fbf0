"""A fan-out with real pairs of sockets: the server's wire here, a client there."""

import asyncio
import socket
from typing import Any

from realtime import Limits
from realtime.fanout import Fanout
from realtime.protocol import Frame
from realtime.sending import Send
from realtime.wire import Wire

WINDOW_S = 0.05
NEVER_BY_ITSELF_S = 3600
LIMITS = Limits(outgoing_max_bytes=300_000, outgoing_max_frames=50, write_timeout_s=5)


class Judge:
    """Remembers the verdict."""

    verdicts = 0

    def too_slow(self) -> None:
        self.verdicts += 1

    def lost(self) -> None: ...


class End(asyncio.Protocol):
    """The server's end of a pair."""

    wire: Wire

    def pause_writing(self) -> None:
        self.wire.paused()

    def resume_writing(self) -> None:
        self.wire.resumed()

    def connection_lost(self, _error: Exception | None) -> None:
        self.wire.lost()


class Pair:
    """A wire, and the client at its other end."""

    def __init__(self, client: socket.socket, transport: Any, end: End) -> None:
        self.client, self.transport, self.end = client, transport, end
        self.wire = end.wire
        self.judge = Judge()
        self.wire.owner = self.judge

    async def received(self, count: int) -> bytes:
        """Exactly so many bytes."""
        loop, data = asyncio.get_running_loop(), b""
        async with asyncio.timeout(5):
            while len(data) < count:
                data += await loop.sock_recv(self.client, count - len(data))
        return data

    def nothing_waits(self) -> bool:
        try:
            return not self.client.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True


class Handed:
    """A transport, and what it was given last."""

    rest: memoryview

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def write(self, data: memoryview) -> None:
        self.rest = data
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Floor:
    """A fan-out and its pairs."""

    def __init__(self, send: Send) -> None:
        self.fanout = Fanout(WINDOW_S, send=send)
        self.pairs: list[Pair] = []

    async def pair(self, limits: Limits = LIMITS) -> Pair:
        ours, theirs = socket.socketpair()
        for one in (ours, theirs):
            one.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        loop = asyncio.get_running_loop()
        transport, end = await loop.create_connection(End, sock=ours)
        end.wire = Wire(transport, self.fanout, limits, loop.time)
        self.pairs.append(Pair(theirs, transport, end))
        return self.pairs[-1]

    def end_window(self) -> None:
        """Have the window that is open end now."""
        assert self.fanout._end is not None
        self.fanout._end.cancel()
        self.fanout._close_window()


def wired(number: int) -> Frame:
    return Frame(b'{"n":%d}' % number)


SIZE = len(wired(1).websocket)
