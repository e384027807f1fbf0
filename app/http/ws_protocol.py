"""Our uvicorn WebSocket class: the stock one, stricter at the door and able to drop a client.

Named by import path, `ws="app.http.ws_protocol:SocketProtocol"`: every worker imports it.
"""

import socket
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from app.http.sockets import ABORT

if TYPE_CHECKING:
    from websockets.http11 import Request

NO_LINGER = struct.pack("ii", 1, 0)
"""On, zero seconds: the unsent rest is thrown away (socket(7))."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's `close` waits for a flush that never comes when the client reads nothing."""

    def handle_connect(self, event: "Request") -> None:
        """Offer the abort to the application, before its task first runs."""
        if len(event.headers.get_all("Origin")) > 1:
            self._forbid()
            return
        super().handle_connect(event)
        if not self.close_sent:
            # Typed by uvicorn as a closed set of extensions; ASGI leaves it open.
            self.scope["extensions"][ABORT] = self.abort  # type: ignore[assignment]

    def abort(self) -> None:
        """Drop the connection and what the kernel holds of it: a reset, no slow farewell."""
        peer = self.transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.transport.abort()

    def _forbid(self) -> None:
        """Refuse two Origins as a foreign one; the stock class would call it a bad request."""
        self.conn.send_response(self.conn.reject(HTTPStatus.FORBIDDEN, ""))
        self.handshake_complete = self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()
