"""Our side of the measurements: the library behind Litestar and uvicorn, as `serve` runs it.

`python -m tests.load.server --port 9000 --redis redis://127.0.0.1:6399`. Nothing is left out: the
whole protocol, keepalive, bounds, the Origin check, and an identity from a session that is cached.
"""

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from litestar import Litestar
from litestar.datastructures import State

from app.cli import BACKLOG, SOCKETS, STREAMS, WS_MAX_FRAME_BYTES, WS_MAX_QUEUE
from app.http.door import SocketDoor
from app.http.flood import FloodGuard
from app.http.health import health_routes
from app.http.known_sessions import KnownSessions
from app.http.server import run
from app.http.sockets import DOOR, socket_route
from realtime import ChannelFamily, Delivery, Identity, Limits, Node
from realtime.broker_redis import RedisBroker
from realtime.codes import InvalidToken

ORIGIN = "http://library.example"
REQUESTS_PER_MINUTE = 100_000_000
"""Counted as ever, but the generator has only one address."""


def everybody(_identity: Identity, _channel: str) -> None:
    """Let anybody in."""


async def no_token(_token: str) -> Identity:
    """Nobody brings one here."""
    raise InvalidToken


async def session_store(token: str) -> Identity:
    """Stand for the database, which is asked once for each session."""
    return Identity(user=token, session=token)


def make_app(redis_url: str, limits: Limits) -> Litestar:
    """One node with a channel that everybody may hear."""
    node = Node(
        broker=RedisBroker(redis_url),
        families=[ChannelFamily("tail:{id}", Delivery.TAIL, everybody)],
        log=None,
        verify_token=no_token,
        map_error=lambda _: None,
        limits=limits,
    )

    async def serving() -> None:
        if node.draining:
            raise ConnectionError("this process is about to end")

    flood = FloodGuard(REQUESTS_PER_MINUTE)
    known = KnownSessions(node, session_store, remember_s=3600)
    door = SocketDoor(node, known.authenticate, [ORIGIN], recall=known.recall, admits=flood.admits)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        await node.start()
        try:
            yield
        finally:
            await node.stop()

    app = Litestar(
        [
            socket_route(door),
            *health_routes({"sockets": serving}, required=frozenset({"sockets"})),
        ],
        lifespan=[lifespan],
        state=State({"drain": node.drain, DOOR: door}),
        openapi_config=None,
        logging_config=None,
    )
    app.asgi_handler = flood.around(app.asgi_handler)
    return app


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--ws", default=SOCKETS)
    own = Limits().flush_window_s * 1000
    parser.add_argument("--window-ms", type=float, default=own, help="of the fan-out")
    chosen = parser.parse_args()
    config = uvicorn.Config(
        make_app(chosen.redis, Limits(flush_window_s=chosen.window_ms / 1000)),
        port=chosen.port,
        loop="uvloop",
        http=STREAMS,
        ws=chosen.ws,
        ws_max_size=WS_MAX_FRAME_BYTES,
        ws_max_queue=WS_MAX_QUEUE,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        backlog=BACKLOG,
        timeout_graceful_shutdown=3,
        server_header=False,
        access_log=False,
        log_level=os.environ.get("LOG_LEVEL", "critical"),
    )
    raise SystemExit(run(config))


if __name__ == "__main__":
    main()
