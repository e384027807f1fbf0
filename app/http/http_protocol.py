"""Our uvicorn HTTP class: the stock one, able to drop a client that stops reading a stream.

Named by import path, `http="app.http.http_protocol:HttpProtocol"`: every worker imports it.
"""

import socket

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.http.sockets import ABORT
from realtime.wire import NO_LINGER


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's `close` waits for a flush that never comes when the client reads nothing."""

    def on_message_begin(self) -> None:
        """Offer the abort to the application."""
        super().on_message_begin()
        # Typed by uvicorn as a closed set of extensions; ASGI leaves it open.
        self.scope["extensions"] = {ABORT: self.abort}  # type: ignore[dict-item]

    def abort(self) -> None:
        """Drop the connection and what the kernel holds of it: a reset, no slow farewell."""
        peer = self.transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.transport.abort()
