"""Our uvicorn HTTP class: a short look at the first bytes, then uvicorn's own class.

Named by import path, `http="app.http.http_protocol:HttpProtocol"`: every worker imports it.
"""

import asyncio
import socket
from typing import Any, ClassVar, cast
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.http.fast_door import fast_door
from app.http.sockets import ABORT
from realtime.wire import NO_LINGER


class HttpProtocol(asyncio.Protocol):
    """A connection until its first bytes: most sockets are opened here and never seen again."""

    __slots__ = ("_app_state", "_config", "_hall", "_loop", "_server", "_transport")

    head_timeout_s: ClassVar[float] = 10.0
    """From the connection, or a request's first byte, to the end of its head."""
    _halls: ClassVar["WeakKeyDictionary[Config, Hall]"] = WeakKeyDictionary()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._server = server_state
        self._app_state = app_state
        self._loop = _loop
        hall = self._halls.get(config)
        if hall is None:
            hall = self._halls[config] = Hall(config)
        self._hall = hall

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Expect a request soon."""
        # Not asserted: uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)  # type: ignore[arg-type]
        self._hall.enter(self, self.head_timeout_s)

    def data_received(self, data: bytes) -> None:
        """Open a socket, or have uvicorn's class serve whatever this is."""
        self._leave()
        if self._hall.door is not None and self._hall.door.open(self._transport, data):
            return
        requests = Requests(self._config, self._server, self._app_state, self._loop)
        requests.connection_made(self._transport)
        self._transport.set_protocol(requests)
        requests.data_received(data)

    def connection_lost(self, _error: Exception | None) -> None:
        """Nothing is expected any more."""
        self._leave()

    def shutdown(self) -> None:
        """The server ends."""
        self._transport.close()

    def abort(self) -> None:
        """Nothing came in time."""
        self._transport.abort()

    def _leave(self) -> None:
        self._hall.leave(self)
        self._server.connections.discard(self)


class Hall:
    """Where the connections of one server wait for their first bytes, under one timer for all."""

    def __init__(self, config: Config) -> None:
        self.door = fast_door(config)
        # Not asked for each connection: that is a system call.
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[HttpProtocol, float] = {}
        """Until when; whoever came first is due first."""
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, who: HttpProtocol, timeout_s: float) -> None:
        """Wait for somebody so long and no longer."""
        due = self._waiting[who] = self._loop.time() + timeout_s
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._look)

    def leave(self, who: HttpProtocol) -> None:
        """Somebody has spoken, or gone."""
        self._waiting.pop(who, None)

    def _look(self) -> None:
        self._timer = None
        for who, due in list(self._waiting.items()):
            if due > self._loop.time():
                self._timer = self._loop.call_at(due, self._look)
                return
            del self._waiting[who]
            who.abort()


class Requests(HttpToolsProtocol):
    """uvicorn's class, able to drop clients that stop reading or never end a request's head.

    Its own `close` waits for a flush that never comes when the client reads nothing, and it waits
    for ever for the head of a request, so that half a handshake holds a connection.
    """

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request soon."""
        super().connection_made(transport)
        self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is here; the rest is the application's to wait for."""
        self._expect_no_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._expect_no_head()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._expect_no_head()
        self._head_timer = self.loop.call_later(HttpProtocol.head_timeout_s, self.transport.abort)

    def _expect_no_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def on_message_begin(self) -> None:
        """Offer the abort to the application."""
        super().on_message_begin()
        if self._head_timer is None:  # a further request: the first one's time already runs
            self._expect_head()
        # Typed by uvicorn as a closed set of extensions; ASGI leaves it open.
        self.scope["extensions"] = {ABORT: self.abort}  # type: ignore[dict-item]

    def abort(self) -> None:
        """Drop the connection and what the kernel holds of it: a reset, no slow farewell."""
        peer = self.transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.transport.abort()
