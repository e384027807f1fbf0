"""The WebSocket door to the realtime node: Origin, cookie, and bytes in both directions.

Knows nothing of channels or commands: the node does. A foreign Origin is refused before accept.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Protocol

from litestar import WebSocket
from litestar.enums import ScopeType
from litestar.exceptions import NotFoundException, WebSocketDisconnect
from litestar.handlers import ASGIRouteHandler, asgi
from litestar.types import Receive, Scope, Send

from app.http.door import SocketDoor
from app.infra.db import AWAY
from app.kit.errors import AppError, ForeignOrigin
from realtime import Frame, TransportClosed
from realtime.codes import SERVER_ERROR

PATH = "/connection/websocket"
FOREIGN_ORIGIN = 4403
"""Never seen by a client: a close before accept is HTTP 403."""
ABORT = "sicerdas.abort"
"""Scope extension of `app.http.ws_protocol`: drops the connection, whatever is still buffered."""
DETACH = "sicerdas.detach"
"""Scope extension of `app.http.ws_protocol`: hands the socket to the node, without ASGI."""

DOOR = "socket_door"
"""Where the app's state keeps the door, for `app.http.fast_door`."""

ACCEPT: Any = {"type": "websocket.accept", "subprotocol": None, "headers": []}

Socket = WebSocket[Any, Any, Any]


def socket_route(door: SocketDoor) -> ASGIRouteHandler:
    """Build the route; the app's state should name the door too, for the fast way in."""

    # An ASGI handler: the door of thousands a second needs no injection and no socket object.
    @asgi(PATH, opt={"exclude_from_auth": True}, copy_scope=False)
    async def realtime_socket(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            raise NotFoundException
        await receive()
        try:
            cookie_counts = door.cookie_counts(scope)
        except ForeignOrigin:
            await send({"type": "websocket.close", "code": FOREIGN_ORIGIN, "reason": ""})
            return
        try:
            known = door.recall(scope) or await door.ask(scope)
        except (AppError, *AWAY):
            # The store is away: a close that asks the client to come back, not a refusal.
            await send(ACCEPT)
            code, reason = SERVER_ERROR
            await send({"type": "websocket.close", "code": code, "reason": reason})
            return
        await send(ACCEPT)
        visitor = door.visitor(known, cookie_counts=cookie_counts)
        detach = (scope.get("extensions") or {}).get(DETACH)
        if callable(detach):
            detach(door.node, visitor)
            return
        socket: Socket = WebSocket(scope, receive, send)
        socket.connection_state = "connect"
        connection = door.node.open(
            AsgiTransport(socket),
            identity=visitor.identity,
            checked_at=visitor.checked_at,
            token_required=visitor.token_required,
        )
        await serve(socket, connection)

    return realtime_socket


class Endpoint(Protocol):
    """What a socket feeds: a connection, or something before one."""

    async def run(self) -> None:
        """Write until the end."""

    def receive(self, frame: str | bytes) -> None:
        """Take one incoming frame."""

    def lost(self) -> None:
        """Note that the client has gone."""


async def serve(socket: Socket, connection: Endpoint) -> None:
    """Read and write until either side ends the connection."""
    reader = asyncio.create_task(read(socket, connection))
    try:
        await connection.run()
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def read(socket: Socket, connection: Endpoint) -> None:
    """Hand every incoming frame to the connection."""
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            message = await socket.receive()
            if message["type"] != "websocket.receive":
                break
            frame = message.get("text")
            connection.receive(frame if frame is not None else message.get("bytes") or b"")
    connection.lost()


class AsgiTransport:
    """Sends through ASGI; works with every server, at the price of one await per write."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    async def send(self, frames: Sequence[Frame]) -> None:
        """Send what waits as one message: a frame may hold several objects, one a line."""
        text = frames[0].text if len(frames) == 1 else "\n".join(frame.text for frame in frames)
        await self._send({"type": "websocket.send", "bytes": None, "text": text})

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye."""
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def abort(self) -> None:
        """Drop the connection; without our protocol class the server's own close must do."""
        abort = (self._socket.scope.get("extensions") or {}).get(ABORT)
        if callable(abort):
            abort()

    async def _send(self, message: Any) -> None:
        try:
            await self._socket.send(message)
        except (OSError, RuntimeError, WebSocketDisconnect) as gone:
            raise TransportClosed from gone
