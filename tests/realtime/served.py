"""The library behind a real uvicorn and a Litestar app with nothing but the socket route."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from litestar import Litestar
from litestar.datastructures import State
from litestar.types import ASGIApp

from app.http.door import Admits, Known, Recall, SocketDoor
from app.http.listening import listening_route
from app.http.origins import header
from app.http.sockets import DETACH, DOOR, socket_route
from app.http.streams import Gate, stream_routes
from realtime import Identity, Node
from realtime.testing import Kit
from tests.realtime.waiting import until

ORIGIN = "https://library.example"
COOKIE = "session=7"
LEARNER = Identity(user="7", session="s7")


async def cookie_identity(scope: Any) -> Identity | None:
    """Know one cookie; another one plays a session store that is away.

    Raises ConnectionRefusedError, as the pool of the real store does.
    """
    cookie = header(scope, b"cookie")
    if cookie == "session=broken":
        raise ConnectionRefusedError
    return LEARNER if cookie == COOKIE else None


def recalled(node: Node) -> Recall:
    """Remember the one cookie."""

    def recall(scope: Any) -> Known | None:
        cookie = header(scope, b"cookie")
        known = {None: None, COOKIE: LEARNER}
        return Known(known[cookie], node.now()) if cookie in known else None

    return recall


OURS = "app.http.ws_protocol:SocketProtocol"
STOCK = "websockets-sansio"


def _attached(app: Any) -> Any:
    """The same app on a server that cannot let go of ASGI."""

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            extensions = {k: v for k, v in scope["extensions"].items() if k != DETACH}
            scope = {**scope, "extensions": extensions}
        await app(scope, receive, send)

    return handle


@dataclass(frozen=True)
class Served:
    """Where the server listens, and what is behind it."""

    url: str
    kit: Kit
    server: uvicorn.Server
    heard: list[str]
    """The paths of the sockets that the app heard of; those of the fast way are not among them."""


def _listening(app: ASGIApp, heard: list[str]) -> ASGIApp:
    async def handle(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            heard.append(scope["path"])
        await app(scope, receive, send)

    return handle


@asynccontextmanager
async def served(
    kit: Kit,
    *,
    ws: Any = OURS,
    detach: bool = True,
    fast: bool = True,
    admits: Admits = lambda _: True,
) -> AsyncIterator[Served]:
    """Serve the kit's node on a free loopback port."""
    gate = Gate(kit.node, cookie_identity, [ORIGIN])
    recall = recalled(kit.node)
    door = SocketDoor(kit.node, cookie_identity, [ORIGIN], recall=recall, admits=admits)
    app = Litestar(
        [
            socket_route(door),
            *stream_routes(gate),
            listening_route(gate),
        ],
        state=State({DOOR: door} if fast else {}),
        openapi_config=None,
        logging_config=None,
    )
    heard: list[str] = []
    app.asgi_handler = _listening(app.asgi_handler, heard)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app if detach else _attached(app),
        http="app.http.http_protocol:HttpProtocol",
        ws=ws,
        ws_max_size=65_536,
        ws_per_message_deflate=False,
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    await kit.node.start()
    running = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started or running.done())
    try:
        port = listener.getsockname()[1]
        yield Served(f"ws://127.0.0.1:{port}/connection/websocket", kit, server, heard)
    finally:
        await kit.node.stop()
        server.should_exit = True
        await running
        listener.close()
