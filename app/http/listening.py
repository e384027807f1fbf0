"""The WebSocket door for clients that only listen: one request, then bare pushes."""

from http import HTTPStatus

from litestar.handlers import WebsocketRouteHandler, websocket

from app.http.sockets import FOREIGN_ORIGIN, AsgiTransport, Socket, serve
from app.http.streams import Gate, Refused
from realtime import Connection
from realtime.codes import MALFORMED, SERVER_ERROR
from realtime.protocol import ProtocolFault
from realtime.unidirectional import connect_frame


def listening_route(gate: Gate) -> WebsocketRouteHandler:
    """Build the route."""

    @websocket("/connection/uni_websocket", opt={"exclude_from_auth": True})
    async def listening_socket(socket: Socket) -> None:
        try:
            transport = AsgiTransport(socket)
            connection = await gate.open(socket.scope, transport, unidirectional=True)
        except Refused as refused:
            if refused.status is HTTPStatus.FORBIDDEN:
                await socket.receive()
                await socket.send({"type": "websocket.close", "code": FOREIGN_ORIGIN, "reason": ""})
            else:
                await socket.accept()
                await socket.close(code=SERVER_ERROR.code, reason=SERVER_ERROR.reason)
            return
        await socket.accept()
        await serve(socket, OneFrame(connection))

    return listening_socket


class OneFrame:
    """A connection that takes one request and is deaf to all that follows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._heard = False

    async def run(self) -> None:
        """Write until the end."""
        await self._connection.run()

    def lost(self) -> None:
        """Note that the client has gone."""
        self._connection.lost()

    def receive(self, frame: str | bytes) -> None:
        """Take the first message as the request to connect."""
        if self._heard:
            return
        self._heard = True
        try:
            request = frame.encode() if isinstance(frame, str) else frame
            self._connection.receive(connect_frame(request))
        except ProtocolFault:
            self._connection.disconnect(MALFORMED)
