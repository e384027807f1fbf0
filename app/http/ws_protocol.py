"""Our uvicorn WebSocket class: strict at the door, lean, and able to let go of ASGI.

Named by import path, `ws="app.http.ws_protocol:SocketProtocol"`: every worker imports it. After
`websocket.accept` a handler may call the scope's `DETACH` extension and return: the transport then
belongs to the realtime connection, and everything of this module is freed. Without that it is an
ordinary ASGI server of WebSockets.
"""

import asyncio
import logging
import socket
import struct
from typing import Any, cast
from urllib.parse import unquote

from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from app.http.door import Visitor
from app.http.sockets import ABORT, DETACH
from app.http.ws.detached import DetachedSocket
from app.http.ws.frames import (
    BINARY,
    CLOSE,
    GOING_AWAY,
    NO_STATUS,
    NORMAL,
    PING,
    PONG,
    TEXT,
    FrameReader,
    Message,
    Violation,
    close_code,
    close_frame,
    frame,
)
from app.http.ws.handshake import Opening, Refused, accepted, read_opening, refusal
from realtime import Node

NO_LINGER = struct.pack("ii", 1, 0)
"""On, zero seconds: the unsent rest is thrown away (socket(7))."""
CLOSE_TIMEOUT_S = 10.0

log = logging.getLogger("uvicorn.error")
Event = dict[str, Any]


class SocketProtocol(asyncio.Protocol):
    """One socket from its handshake until it is detached or closed."""

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
        self._loop = _loop or asyncio.get_event_loop()
        self._reader = FrameReader(config.ws_max_size)
        self._opening: Opening | None = None
        self._denial: Event | None = None
        self._messages: list[Message] = []
        self._ended: Event | None = None
        # Made when they are waited for: a socket that is detached at once never does.
        self._arrived: asyncio.Event | None = None
        self._writable: asyncio.Event | None = None
        self._connect_told = self._is_open = self._is_closed = self._is_detached = False

    # -- what the event loop and the server call -------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over from the HTTP protocol."""
        # Not asserted: uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """First the whole head of the request, as uvicorn hands it over, then frames."""
        if self._opening is None:
            self._open(data)
            return
        try:
            for message in self._reader.feed(data):
                self._take(*message)
        except Violation as violation:
            self._say_goodbye(violation.code, violation.reason)
            if violation.is_last:
                self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell the application."""
        self._forget()
        self._end(NO_STATUS if self._is_open else 1006)
        self.resume_writing()

    def pause_writing(self) -> None:
        """The application must wait."""
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """The application may go on."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def shutdown(self) -> None:
        """The server ends: sockets that were not detached come back elsewhere."""
        if self._is_open:
            self._say_goodbye(GOING_AWAY, "")
        else:
            self._transport.write(refusal(503))
            self._is_closed = True
        self._transport.close()

    # -- the door ----------------------------------------------------------------------------

    def _open(self, head: bytes) -> None:
        try:
            self._opening = opening = read_opening(head)
        except Refused as refused:
            self._opening = Opening(b"", [])
            self._is_closed = True
            self._transport.write(refusal(refused.status, refused.headers))
            self._transport.close()
            return
        task = self._loop.create_task(self._run(self._scope(opening)))
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    def _scope(self, opening: Opening) -> dict[str, Any]:
        raw_path, _, query = opening.target.partition(b"?")
        root = self._config.root_path
        return {
            "type": "websocket",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if is_ssl(self._transport) else "ws",
            "server": get_local_addr(self._transport),
            "client": get_remote_addr(self._transport),
            "root_path": root,
            "path": root + unquote(raw_path.decode("ascii")),
            "raw_path": root.encode("ascii") + raw_path,
            "query_string": query,
            "headers": opening.headers,
            "subprotocols": opening.subprotocols,
            "state": self._app_state.copy(),
            "extensions": {
                "websocket.http.response": {},
                ABORT: self._abort,
                DETACH: self._detach,
            },
        }

    async def _run(self, scope: dict[str, Any]) -> None:
        try:
            await self._config.loaded_app(scope, self._receive, self._send)
        except Exception:
            log.exception("Exception in ASGI application")
        finally:
            # The extensions hold this object, and the transport with it.
            scope["extensions"] = {}
        if not (self._is_detached or self._is_closed):
            if not self._is_open:
                self._transport.write(refusal(500))
            self._transport.close()

    def _detach(self, node: Node, visitor: Visitor) -> None:
        """Give an accepted socket to the node; the handler then returns."""
        self._forget()
        self._is_detached = True
        if self._is_closed or self._transport.is_closing():
            return
        detached = DetachedSocket(self._transport, node, self._reader)
        self._transport.set_protocol(detached)
        detached.open(visitor, self._messages)

    def _forget(self) -> None:
        self._server.connections.discard(self)

    # -- frames ------------------------------------------------------------------------------

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode in (TEXT, BINARY):
            if not self._is_closed:
                self._messages.append((opcode, payload))
                self._wake()
                self._transport.pause_reading()
        elif opcode == PING and not self._is_closed and self._writable is None:
            # Whoever does not read is not answered: nothing else bounds what would wait here.
            self._transport.write(frame(PONG, payload))
        elif opcode == CLOSE:
            code = close_code(payload)
            self._say_goodbye(NORMAL if code == NO_STATUS else code, "")
            self._end(code)
            self._transport.close()

    def _say_goodbye(self, code: int, reason: str) -> None:
        """Send one close frame and wait for the client's; never longer than the timeout."""
        if not self._is_closed:
            self._is_closed = True
            self._transport.write(close_frame(code, reason))
            self._end(code)
            self._transport.resume_reading()
            self._loop.call_later(CLOSE_TIMEOUT_S, self._transport.abort)

    def _end(self, code: int) -> None:
        if self._ended is None:
            self._ended = {"type": "websocket.disconnect", "code": code}
        self._wake()

    def _wake(self) -> None:
        if self._arrived is not None:
            self._arrived.set()

    def _abort(self) -> None:
        """Drop the connection and what the kernel holds of it: a reset, no slow farewell."""
        peer = self._transport.get_extra_info("socket")
        if peer is not None and not self._transport.is_closing():
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._transport.abort()

    # -- ASGI --------------------------------------------------------------------------------

    async def _receive(self) -> Event:
        if not self._connect_told:
            self._connect_told = True
            return {"type": "websocket.connect"}
        while not self._messages:
            if self._ended is not None:
                return self._ended
            self._arrived = asyncio.Event()
            await self._arrived.wait()
        opcode, payload = self._messages.pop(0)
        if not self._messages and not self._transport.is_closing():
            self._transport.resume_reading()
        if opcode == TEXT:
            return {"type": "websocket.receive", "text": payload.decode()}
        return {"type": "websocket.receive", "bytes": payload}

    async def _send(self, message: Event) -> None:
        if self._writable is not None:
            await self._writable.wait()
        if self._is_closed or self._ended is not None:
            raise OSError("the socket is closed")
        kind = message["type"]
        if not self._is_open:
            self._answer(kind, message)
        elif kind == "websocket.send":
            text = message.get("text")
            data = message["bytes"] if text is None else text.encode()
            self._transport.write(frame(BINARY if text is None else TEXT, data))
        elif kind == "websocket.close":
            self._say_goodbye(message.get("code") or NORMAL, message.get("reason") or "")
        else:
            raise RuntimeError(f"{kind} after websocket.accept")

    def _answer(self, kind: str, message: Event) -> None:
        """Accept the handshake or refuse it."""
        assert self._opening is not None
        if kind == "websocket.accept":
            self._is_open = True
            headers = message.get("headers") or ()
            self._transport.write(accepted(self._opening.key, message.get("subprotocol"), headers))
            return
        if kind == "websocket.http.response.start":
            self._denial = {**message, "body": b""}
            return
        if kind == "websocket.http.response.body" and self._denial is not None:
            self._denial["body"] += message.get("body", b"")
            if message.get("more_body"):
                return
            answer = self._denial
            self._transport.write(refusal(answer["status"], answer["headers"], answer["body"]))
        elif kind == "websocket.close":
            self._transport.write(refusal(403))
        else:
            raise RuntimeError(f"{kind} before websocket.accept")
        self._is_closed = True
        self._transport.close()
