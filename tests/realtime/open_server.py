"""The library alone on every transport, open to all: for the test suites of any client.

python -m tests.realtime.open_server --port 8000

No token is needed, and everybody may publish, read presence and history. Tokens, when given, are
checked with the HMAC secret `secret`. The server API is at /api/<method> (X-API-Key: test-api-key).
For tests only: nothing here may face a network.
"""

import argparse
import time
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import jwt
import msgspec
import uvicorn
from litestar import Litestar, Request, Response, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from app.http.door import SocketDoor
from app.http.listening import listening_route
from app.http.sockets import socket_route
from app.http.streams import Gate, stream_routes
from realtime import ChannelFamily, Delivery, Identity, Limits, MemoryBroker, Node, RealtimeError
from realtime.codes import BAD_REQUEST, FORCED, METHOD_NOT_FOUND, Disconnect
from realtime.messages import HistoryRequest
from realtime.model import Hooks, Welcome
from realtime.reading import stats_of
from realtime.tokens import JwtVerifier

SECRET = "secret"
API_KEY = "test-api-key"
GENEROUS = Limits(
    max_channels=10_000,
    max_user_connections=10_000,
    commands_per_s=100_000,
    command_burst=100_000,
    max_in_flight=10_000,
    presence_grace_s=0,
)


async def everybody(_identity: Identity, _channel: str) -> None:
    """Let anybody in."""


def family(pattern: str, *, history_size: int = 100, **more: Any) -> ChannelFamily:
    """Make a family that is open to everybody."""
    return ChannelFamily(
        pattern,
        Delivery.TAIL,
        everybody,
        authorize_publish=everybody,
        authorize_read=everybody,
        presence=True,
        delta=True,
        history_size=history_size,
        history_ttl_s=300,
        **more,
    )


FAMILIES = (
    family("{id}", join_leave=True),
    family("recovery:{id}"),
    family("delta:{id}"),
    family("smallhistory:{id}", history_size=2),
)


async def personal_channel(identity: Identity, _data: bytes) -> Welcome:
    """Subscribe every user to `#<user>`."""
    return Welcome((f"#{identity.user}",) if identity.user else ())


def open_node(
    *, limits: Limits = GENEROUS, personal: bool = False, absent: bool = False, **more: Any
) -> Node:
    """Make a node that trusts everybody; `absent`: nobody can see who is there."""
    tokens = JwtVerifier(hmac_secret=SECRET)
    return Node(
        broker=more.pop("broker", None) or MemoryBroker(),
        families=[replace(f, presence=f.presence and not absent) for f in FAMILIES],
        log=None,
        verify_token=tokens.connect,
        map_error=lambda _: None,
        limits=limits,
        hooks=Hooks(
            verify_subscription=tokens.subscription,
            on_connect=personal_channel if personal else None,
        ),
        open_to_all=True,
        **more,
    )


class ApiRequest(msgspec.Struct, frozen=True):
    """The fields of all methods; each takes its own."""

    channel: str = ""
    channels: Sequence[str] = ()
    data: msgspec.Raw = msgspec.Raw()
    user: str = ""
    client: str = ""
    disconnect: dict[str, Any] | None = None
    code: int = 0
    reason: str = ""
    idempotency_key: str = ""
    expire_at: int = 0


class Api:
    """The server API in the reference server's shapes."""

    def __init__(self, node: Node) -> None:
        self._api = node.api

    async def publish(self, body: ApiRequest, _raw: bytes) -> object:
        """Publish to one channel."""
        _need(body.channel, bytes(body.data))
        return await self._api.publish(body.channel, bytes(body.data), key=body.idempotency_key)

    async def broadcast(self, body: ApiRequest, _raw: bytes) -> object:
        """Publish to several channels."""
        _need(body.channels, bytes(body.data))
        places = await self._api.broadcast(body.channels, bytes(body.data))
        return {"responses": [{"result": place} for place in places]}

    async def subscribe(self, body: ApiRequest, _raw: bytes) -> object:
        """Subscribe a user's clients."""
        _need(body.channel)
        await self._api.subscribe(body.channel, user=body.user, client=body.client)
        return {}

    async def unsubscribe(self, body: ApiRequest, _raw: bytes) -> object:
        """Take a user's clients off a channel."""
        _need(body.channel)
        await self._api.unsubscribe(body.channel, user=body.user, client=body.client)
        return {}

    async def disconnect(self, body: ApiRequest, _raw: bytes) -> object:
        """End a user's connections."""
        asked = body.disconnect or {"code": body.code, "reason": body.reason}
        verdict = Disconnect(asked.get("code") or FORCED.code, asked.get("reason") or FORCED.reason)
        await self._api.disconnect(user=body.user, client=body.client, disconnect=verdict)
        return {}

    async def refresh(self, body: ApiRequest, _raw: bytes) -> object:
        """Move the end of a user's connections."""
        expires_at = body.expire_at or time.time()
        await self._api.refresh(expires_at, user=body.user, client=body.client)
        return {}

    async def presence(self, body: ApiRequest, _raw: bytes) -> object:
        """Tell who is on a channel."""
        _need(body.channel)
        return await self._api.presence(body.channel)

    async def presence_stats(self, body: ApiRequest, _raw: bytes) -> object:
        """Count who is on a channel."""
        _need(body.channel)
        return stats_of(await self._api.presence(body.channel))

    async def history(self, _body: ApiRequest, raw: bytes) -> object:
        """Read what was published."""
        request = msgspec.json.decode(raw, type=HistoryRequest)
        _need(request.channel)
        return await self._api.history(request)


def _need(*fields: object) -> None:
    if not all(fields):
        raise BAD_REQUEST.error()


METHODS = frozenset(name for name in vars(Api) if not name.startswith("_"))


def api_route(node: Node) -> ControllerRouterHandler:
    """Build the route of the server API."""
    api = Api(node)

    @post("/api/{method:str}", status_code=200)
    async def call(method: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
        if request.headers.get("x-api-key") != API_KEY:
            return Response(b"", status_code=401)
        raw = await request.body()
        try:
            if method not in METHODS:
                raise METHOD_NOT_FOUND.error()
            body = msgspec.json.decode(raw or b"{}", type=ApiRequest)
            answer: dict[str, object] = {"result": await getattr(api, method)(body, raw)}
        except msgspec.MsgspecError:
            answer = {"error": {"code": BAD_REQUEST.code, "message": BAD_REQUEST.message}}
        except RealtimeError as error:
            answer = {"error": {"code": error.code, "message": error.message}}
        return Response(msgspec.json.encode(answer), media_type="application/json")

    return call


async def no_cookie(_scope: Any) -> Identity | None:
    """Nobody has a cookie here."""
    return None


def open_app(node: Node) -> Litestar:
    """The app around an open node; its lifespan runs the node."""

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        await node.start()
        try:
            yield
        finally:
            await node.stop()

    gate = Gate(node, no_cookie, ())
    return Litestar(
        [
            socket_route(SocketDoor(node, no_cookie, ())),
            *stream_routes(gate),
            listening_route(gate),
            api_route(node),
        ],
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
    )


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--personal", action="store_true", help="subscribe users to #<user>")
    parser.add_argument("--no-presence", action="store_true", help="presence answers error 108")
    options = parser.parse_args()
    # The public test suites' secret is as short as it is.
    warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
    uvicorn.run(
        open_app(open_node(personal=options.personal, absent=options.no_presence)),
        host=options.host,
        port=options.port,
        http="app.http.http_protocol:HttpProtocol",
        ws="app.http.ws_protocol:SocketProtocol",
        ws_max_size=65_536,
        ws_per_message_deflate=False,
        log_level="warning",
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
