"""The fast way in: a plain handshake is answered before there is a request, a scope or a task.

It only ever opens. Whoever is not let in at once, for whatever reason, is heard by the app as ever,
whose answer is the only refusal; the rules of both ways are those of `app.http.door`.
"""

import asyncio
import contextlib
from typing import Any

from litestar import Litestar
from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.utils import is_ssl

from app.http.door import SocketDoor, Visitor
from app.http.sockets import DOOR, PATH
from app.http.ws.detached import DetachedSocket
from app.http.ws.frames import FrameReader
from app.http.ws.handshake import Headers, accepted, plain_opening
from app.http.ws_protocol import SocketProtocol
from app.kit.errors import ForeignOrigin

TARGET = PATH.encode()
FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})


class FastDoor:
    """Opens the sockets of one app."""

    def __init__(self, door: SocketDoor, proxy: ProxyHeadersMiddleware | None, size: int) -> None:
        self._door = door
        self._proxy = proxy
        self._max_bytes = size

    def open(self, transport: asyncio.Transport, data: bytes) -> bool:
        """Take the first bytes of a connection; False: they are the app's to answer."""
        opening = plain_opening(data)
        if opening is None or opening.target.partition(b"?")[0] != TARGET or is_ssl(transport):
            return False
        visitor = self._visitor(self._scope(transport, opening.headers))
        if visitor is None:
            return False
        detached = DetachedSocket(transport, self._door.node, FrameReader(self._max_bytes))
        transport.set_protocol(detached)
        detached.open(visitor, (), greeting=accepted(opening.key, None, ()))
        return True

    def _visitor(self, scope: Any) -> Visitor | None:
        """Ask every rule; counted as a request last, so that a refused one is counted once."""
        try:
            cookie_counts = self._door.cookie_counts(scope)
        except ForeignOrigin:
            return None
        known = self._door.recall(scope)
        if known is None or not self._door.admits(scope):
            return None
        return self._door.visitor(known, cookie_counts=cookie_counts)

    def _scope(self, transport: asyncio.Transport, headers: Headers) -> Any:
        """Build what the rules look at of an ASGI scope, proxies' headers taken into account."""
        scope = {
            "type": "websocket",
            "scheme": "ws",
            "client": _peer(transport),
            "headers": headers,
        }
        if self._proxy is not None and [name for name, _ in headers if name in FORWARDED]:
            with contextlib.suppress(StopIteration):  # its end: it waits for nothing
                self._proxy(scope, _never, _never).send(None)  # type: ignore[arg-type]
        return scope


def fast_door(config: Config) -> FastDoor | None:
    """Find the door of a server's app; None where anything but the usual stands around it."""
    app, proxy = config.loaded_app, None
    if isinstance(app, ProxyHeadersMiddleware):
        proxy = ProxyHeadersMiddleware(_nothing, config.forwarded_allow_ips or "")
        app = app.app
    if not isinstance(app, Litestar) or config.root_path:
        return None
    door = app.state.get(DOOR)
    if door is None or config.ws_protocol_class is not SocketProtocol:
        return None
    return FastDoor(door, proxy, config.ws_max_size)


def _peer(transport: asyncio.Transport) -> tuple[str, int] | None:
    """As uvicorn's own, which makes a socket object to ask the same."""
    peer = transport.get_extra_info("peername")
    return (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else None


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    """Stand behind the proxy's headers, which change the scope on their way to the app."""


async def _never() -> Any:
    raise AssertionError("nobody listens or speaks here")
