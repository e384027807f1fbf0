"""Our uvicorn HTTP class: the stock one, able to drop clients that stop reading or never ask.

Named by import path, `http="app.http.http_protocol:HttpProtocol"`: every worker imports it.
"""

import asyncio
import socket

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.http.sockets import ABORT
from realtime.wire import NO_LINGER


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's `close` waits for a flush that never comes when the client reads nothing.

    And it waits for ever for the head of a request, so that half a handshake holds a connection.
    """

    head_timeout_s = 10.0
    """From the connection, or a request's first byte, to the end of its head."""
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
        self._head_timer = self.loop.call_later(self.head_timeout_s, self.transport.abort)

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
