"""Our uvicorn WebSocket class: the stock one, plus a way to drop a client that stopped reading.

Named by import path, `ws="app.http.ws_protocol:SocketProtocol"`: every worker imports it.
"""

from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from app.http.sockets import ABORT

if TYPE_CHECKING:
    from websockets.http11 import Request


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's `close` waits for a flush that never comes when the client reads nothing."""

    def handle_connect(self, event: "Request") -> None:
        """Offer the abort to the application, before its task first runs."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            # Typed by uvicorn as a closed set of extensions; ASGI leaves it open.
            self.scope["extensions"][ABORT] = self.transport.abort  # type: ignore[assignment]
