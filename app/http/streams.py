"""The HTTP doors to the realtime node: SSE and HTTP streaming down, `/emulation` up.

For networks that break WebSockets, and for clients that only listen. The connection behind them is
the same as a socket's, and so are the rules for Origin and cookie.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar.handlers import ASGIRouteHandler, asgi

from app.http.door import AuthenticateCookie
from app.http.flood import FloodGuard, refuse
from app.http.origins import header, own_origins
from app.http.sockets import ABORT
from app.infra.db import AWAY
from app.kit.errors import AppError
from realtime import (
    BrokerUnavailable,
    Connection,
    Frame,
    Identity,
    Limits,
    Node,
    TransportClosed,
)
from realtime.codes import Disconnect
from realtime.protocol import ProtocolFault, encode_disconnect
from realtime.unidirectional import UnidirectionalTransport, bare, connect_frame

QUERY_FIELD = "cf_connect"
"""Where clients put their first frame when they can send no body; the protocol's own name."""
HEADERS = (
    (b"cache-control", b"private, no-cache, no-store, must-revalidate, max-age=0"),
    (b"x-accel-buffering", b"no"),
)
EVENTS = b"text/event-stream; charset=utf-8"
LINES = b"application/json"

ENVELOPE_BYTES = 1024
"""What stands around the frame of an emulated client."""
LAST_LOOK_S = 1
"""How long an aborted client may take to be noticed."""

Wrap = Callable[[bytes], bytes]


class Emulated(msgspec.Struct, frozen=True):
    """One upward frame of a client that listens to a stream."""

    session: str
    node: str
    data: str


class Refused(Exception):
    """The request is answered with this status, before anything is streamed."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class Gate:
    """Who may come in: alike for every stream; without origins the address called is the only."""

    def __init__(
        self,
        node: Node,
        authenticate_cookie: AuthenticateCookie,
        origins: Collection[str],
        *,
        emulated_per_minute: int = 3000,
    ) -> None:
        self.node = node
        self.emulated = FloodGuard(emulated_per_minute, "emulation-address")
        """A guess may cost Redis a message to another process, before any session is known."""
        self._authenticate_cookie = authenticate_cookie
        self._origins = origins

    def check_origin(self, scope: Any) -> bool:
        """Tell whether the cookie counts; raises Refused for another site's page."""
        origin = header(scope, b"origin")
        if origin is None:
            # Browsers send none with a same-origin GET, but say so in a header pages cannot set.
            return header(scope, b"sec-fetch-site") == "same-origin"
        if origin not in own_origins(scope, self._origins):
            raise Refused(HTTPStatus.FORBIDDEN)
        return True

    async def open(self, scope: Any, transport: Any, *, unidirectional: bool) -> Connection:
        """Open a connection under the rules for the cookie; raises Refused."""
        cookie_counts = self.check_origin(scope)
        checked_at = self.node.now()
        try:
            identity: Identity | None = await self._authenticate_cookie(scope)
        except (AppError, *AWAY):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE) from None
        return self.node.open(
            UnidirectionalTransport(transport) if unidirectional else transport,
            identity=identity if cookie_counts else None,
            checked_at=checked_at,
            token_required=identity is not None and not cookie_counts,
            unidirectional=unidirectional,
            emulated=not unidirectional,
        )


def stream_routes(gate: Gate) -> list[ASGIRouteHandler]:
    """Build the routes of all streams, and the one upwards."""
    return [
        _stream("/connection/sse", gate, EVENTS, _event),
        _stream("/connection/http_stream", gate, LINES, _line, methods=("POST",)),
        _stream("/connection/uni_sse", gate, EVENTS, _bare_event, unidirectional=True),
        _emulation(gate),
    ]


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def _bare_event(data: bytes) -> bytes:
    return _event(bare(data))


def _line(data: bytes) -> bytes:
    return data + b"\n"


# -- down --------------------------------------------------------------------------------------


def _stream(
    path: str,
    gate: Gate,
    kind: bytes,
    wrap: Wrap,
    *,
    methods: Collection[str] = ("GET", "POST"),
    unidirectional: bool = False,
) -> ASGIRouteHandler:
    @asgi(path, opt={"exclude_from_auth": True}, copy_scope=False)
    async def stream(scope: Any, receive: Any, send: Any) -> None:
        transport = StreamTransport(scope, send, kind, wrap)
        try:
            _check_method(scope, methods)
            frame = await _first_frame(scope, receive, gate.node.limits)
            if unidirectional:
                frame = connect_frame(frame)
            connection = await gate.open(scope, transport, unidirectional=unidirectional)
        except Refused as refused:
            await _answer(send, refused.status)
        except ProtocolFault:
            await _answer(send, HTTPStatus.BAD_REQUEST)
        else:
            connection.receive(frame)
            await _run(connection, receive)

    return stream


async def _run(connection: Connection, receive: Any) -> None:
    """Stream until either side ends it."""
    reader = asyncio.create_task(_wait_for_the_end(connection, receive))
    try:
        await connection.run()
    finally:
        # The server is to have noticed the end before we return: it would call it unfinished.
        await asyncio.wait({reader}, timeout=LAST_LOOK_S)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def _wait_for_the_end(connection: Connection, receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    connection.lost()


async def _first_frame(scope: Any, receive: Any, limits: Limits) -> bytes:
    """Return the body, or what stands for it in the query; raises Refused."""
    if scope["method"] == "POST":
        return await _body(receive, limits, limits.max_frame_bytes)
    query: str = scope["query_string"].decode("latin-1")
    found = parse_qs(query).get(QUERY_FIELD)
    if not found:
        raise Refused(HTTPStatus.BAD_REQUEST)
    return found[0].encode()


async def _body(receive: Any, limits: Limits, max_bytes: int) -> bytes:
    """Read a body in the time that a socket has for its `connect`; raises Refused."""
    try:
        async with asyncio.timeout(limits.connect_timeout_s):
            return await _whole(receive, max_bytes)
    except TimeoutError:
        raise Refused(HTTPStatus.REQUEST_TIMEOUT) from None


async def _whole(receive: Any, max_bytes: int) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(HTTPStatus.BAD_REQUEST)
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > max_bytes:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return bytes(body)


def _check_method(scope: Any, methods: Collection[str]) -> None:
    if scope["method"] not in methods:
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED)


async def _answer(send: Any, status: HTTPStatus) -> None:
    headers = [(b"content-length", b"0")] if status is not HTTPStatus.NO_CONTENT else []
    if status is HTTPStatus.REQUEST_TIMEOUT:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class StreamTransport:
    """Sends frames as an endless answer; the goodbye is a push, there is no close frame."""

    def __init__(self, scope: Any, send: Any, kind: bytes, wrap: Wrap) -> None:
        self._scope = scope
        self._send = send
        self._kind = kind
        self._wrap = wrap
        self._started = False

    async def send(self, frames: Sequence[Frame]) -> None:
        """Send what waits in one piece."""
        await self._write(b"".join(self._wrap(frame.data) for frame in frames), more=True)

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye and end the answer."""
        goodbye = encode_disconnect(Disconnect(code, reason))
        await self._write(self._wrap(goodbye.data), more=False)

    def abort(self) -> None:
        """Drop the connection; without our protocol class the server's own close must do."""
        abort = (self._scope.get("extensions") or {}).get(ABORT)
        if callable(abort):
            abort()

    async def _write(self, body: bytes, *, more: bool) -> None:
        try:
            if not self._started:
                self._started = True
                headers = [(b"content-type", self._kind), *HEADERS]
                await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._send({"type": "http.response.body", "body": body, "more_body": more})
        except (OSError, RuntimeError) as gone:
            raise TransportClosed from gone


# -- up ----------------------------------------------------------------------------------------


def _emulation(gate: Gate) -> ASGIRouteHandler:
    @asgi("/emulation", opt={"exclude_from_auth": True}, copy_scope=False)
    async def emulation(scope: Any, receive: Any, send: Any) -> None:
        error = gate.emulated.refusal(scope)
        if error is not None:
            await refuse(error, scope, send)
            return
        try:
            _check_method(scope, ("POST",))
            gate.check_origin(scope)
            # The frame is JSON inside JSON: escaping may double it.
            limits = gate.node.limits
            body = await _body(receive, limits, 2 * limits.max_frame_bytes + ENVELOPE_BYTES)
            status = await _speak(gate.node, body)
        except Refused as refused:
            status = refused.status
        await _answer(send, status)

    return emulation


async def _speak(node: Node, body: bytes) -> HTTPStatus:
    try:
        said = msgspec.json.decode(body, type=Emulated)
        found = await node.speak(said.node, said.session, said.data)
    except msgspec.MsgspecError:
        return HTTPStatus.BAD_REQUEST
    except BrokerUnavailable:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.NO_CONTENT if found else HTTPStatus.NOT_FOUND
