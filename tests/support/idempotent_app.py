"""A small app behind the idempotency middleware; every mutation leaves one audit entry."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from litestar import Litestar, Request, Response, get, post, put
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.params import FromPath, JSONBody
from litestar.response import Stream
from litestar.types import ASGIApp, Receive, Scope, Send

from app.http.idempotency import MAX_KEPT_BYTES, IdempotencyMiddleware, IdempotencyStore
from app.http.problems import handlers
from app.http.sessions import PRINCIPAL_KEY
from app.infra.db import translate
from app.infra.idempotency import IdempotencyKeys
from app.kit.errors import NotFound, TooManyRequests, Unauthorized, Unavailable
from app.kit.principal import Principal, Role
from tests.support.rooms import Rooms

BODY_LIMIT, UPLOAD_LIMIT = 100_000, 200_000
REFUSALS = {401: Unauthorized, 404: NotFound, 429: TooManyRequests, 503: Unavailable}


class FakeSessions(ASGIMiddleware):
    """Takes the person's number from a header."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        who = dict(scope["headers"]).get(b"x-person")
        principal = Principal(int(who), Role.USER, "s", "", "") if who else None
        scope["state"][PRINCIPAL_KEY] = principal
        await next_app(scope, receive, send)


@dataclass
class Bench:
    """A small app whose every mutation leaves one audit entry."""

    rooms: Rooms
    client: httpx.AsyncClient
    gate: asyncio.Event
    entered: asyncio.Event

    async def effects(self, name: str) -> int:
        """How often a request had its effect."""
        return await self.rooms.db.fetchval(
            "SELECT count(*) FROM audit_log WHERE target_id = $1", name
        )

    async def send(
        self, name: str, key: str | None = "k", person: int | None = 1, **options: Any
    ) -> httpx.Response:
        """POST /things/<name> unless told otherwise."""
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Idempotency-Key"] = key
        if person is not None:
            headers["x-person"] = str(person)
        method, path = options.pop("method", "POST"), options.pop("path", f"/things/{name}")
        options.setdefault("json", {"name": name})
        return await self.client.request(method, path, headers=headers, **options)


async def act(state: State, name: str) -> int:
    """The effect of every mutation: one audit entry."""
    async with state.rooms.db.transaction() as tx:
        return await state.rooms.audit.record(
            tx, actor=None, action="thing.made", target_type="thing", target_id=name
        )


Name = FromPath[str]


@post("/things/{name:str}")
async def make(
    name: Name, data: JSONBody[dict[str, str]], state: State
) -> Response[dict[str, int]]:
    headers = {"etag": '"1"', "location": f"/things/{name}", "x-request-id": "r"}
    return Response({"number": await act(state, name)}, headers=headers)


@put("/things/{name:str}")
async def change(name: Name, data: JSONBody[dict[str, str]], state: State) -> dict[str, int]:
    return {"number": await act(state, name)}


@get("/things/{name:str}")
async def look(name: Name, state: State) -> dict[str, int]:
    return {"number": await act(state, name)}


@post("/refuse/{status:int}/{name:str}")
async def refuse(status: FromPath[int], name: Name, state: State) -> None:
    async with state.rooms.db.transaction() as tx:
        await tx.fetchval("SELECT count(*) FROM audit_log")
    raise REFUSALS[status]


@post("/broken/{name:str}")
async def broken(name: Name, state: State) -> None:
    await act(state, name)
    raise Unavailable


@post("/slow/{name:str}")
async def slow(name: Name, state: State) -> dict[str, int]:
    state.entered.set()
    await state.gate.wait()
    return {"number": await act(state, name)}


@post("/login/{name:str}")
async def login(name: Name, state: State) -> Response[dict[str, int]]:
    return Response({"number": await act(state, name)}, headers={"set-cookie": "a=b"})


@post("/token/{name:str}")
async def token(name: Name, state: State) -> Response[dict[str, int]]:
    return Response({"number": await act(state, name)}, headers={"cache-control": "no-store"})


@post("/large/{name:str}")
async def large(name: Name, state: State) -> Response[str]:
    await act(state, name)
    return Response("x" * (MAX_KEPT_BYTES + 1), media_type="text/plain")


@post("/stream/{name:str}")
async def stream(name: Name, state: State) -> Stream:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"data: 1\n\n", b"data: 2\n\n"):
            yield part

    await act(state, name)
    return Stream(parts(), media_type="text/event-stream")


@post("/upload/{name:str}", status_code=200, request_max_body_size=UPLOAD_LIMIT)
async def upload(name: Name, request: Request[Any, Any, Any], state: State) -> dict[str, int]:
    form = await request.form()
    return {"number": await act(state, name), "size": len(await form["file"].read())}


def small_app(
    rooms: Rooms,
    gate: asyncio.Event,
    entered: asyncio.Event,
    store: IdempotencyStore | None = None,
) -> Litestar:
    """The app, on the real store unless told otherwise."""
    store = store or IdempotencyKeys(rooms.db)
    keys = IdempotencyMiddleware(store, max_body_bytes=BODY_LIMIT)
    return Litestar(
        [make, change, look, refuse, broken, slow, login, token, large, stream, upload],
        middleware=[FakeSessions(), keys],
        exception_handlers=handlers(translate),
        openapi_config=None,
        request_max_body_size=BODY_LIMIT,
        state=State({"rooms": rooms, "gate": gate, "entered": entered}),
    )


@asynccontextmanager
async def running(rooms: Rooms, store: IdempotencyStore | None = None) -> AsyncIterator[Bench]:
    """The app with a client."""
    gate, entered = asyncio.Event(), asyncio.Event()
    transport = httpx.ASGITransport(app=small_app(rooms, gate, entered, store))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Bench(rooms, client, gate, entered)
