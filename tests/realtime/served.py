"""The library behind a real uvicorn and a Litestar app with nothing but the socket route."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from litestar import Litestar

from app.http.origins import header
from app.http.sockets import socket_route
from realtime import Identity
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


@dataclass(frozen=True)
class Served:
    """Where the server listens, and what is behind it."""

    url: str
    kit: Kit
    server: uvicorn.Server


@asynccontextmanager
async def served(
    kit: Kit, *, ws: Any = "app.http.ws_protocol:SocketProtocol"
) -> AsyncIterator[Served]:
    """Serve the kit's node on a free loopback port."""
    app = Litestar(
        [socket_route(kit.node, cookie_identity, [ORIGIN])],
        openapi_config=None,
        logging_config=None,
    )
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
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
        yield Served(f"ws://127.0.0.1:{port}/connection/websocket", kit, server)
    finally:
        await kit.node.stop()
        server.should_exit = True
        await running
        listener.close()
