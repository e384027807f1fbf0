"""The HTTP doors to the realtime side in the whole app: who comes in, and how fast a right ends."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.security.test_sockets import cookie_of, realtime_token
from tests.support.house import Person, Served

CONNECT = {"id": 1, "connect": {}}


@asynccontextmanager
async def stream(
    served: Served, path: str, frame: object, headers: dict[str, str]
) -> AsyncIterator[tuple[int, AsyncIterator[Any]]]:
    """Open a stream; the status and the objects that come down."""
    async with (
        httpx.AsyncClient(base_url=served.url, timeout=10) as http,
        http.stream("POST", path, content=json.dumps(frame), headers=encoded(headers)) as response,
    ):
        yield response.status_code, objects(response)


def encoded(headers: dict[str, str]) -> dict[bytes, bytes]:
    """As bytes: look-alikes hold letters that are not ASCII."""
    return {name.encode(): value.encode() for name, value in headers.items()}


async def objects(response: httpx.Response) -> AsyncIterator[Any]:
    """What comes down, one object after another."""
    async for line in response.aiter_lines():
        if text := line.removeprefix("data: "):
            yield json.loads(text)


@pytest.mark.parametrize("path", ["/connection/sse", "/connection/http_stream"])
class TestStreams:
    async def test_own_page_and_token_are_the_person(
        self, served: Served, learner: Person, path: str
    ) -> None:
        """The cookie with our own origin, or a token with nothing."""
        own = {**cookie_of(learner), "content-type": "application/json", "origin": served.url}
        token = await realtime_token(learner)
        with_token = {"id": 1, "connect": {"token": token}}
        for headers, frame in ((own, CONNECT), ({}, with_token)):
            async with stream(served, path, frame, headers) as (status, down):
                assert status == 200
                welcome = (await anext(down))["connect"]
                said = {"id": 2, "subscribe": {"channel": f"user:{learner.id}"}}
                body = {k: welcome[k] for k in ("session", "node")} | {"data": json.dumps(said)}
                async with httpx.AsyncClient(base_url=served.url) as http:
                    answer = await http.post("/emulation", json=body)
                assert answer.status_code == 204
                assert "subscribe" in await anext(down)

    async def test_cookie_from_nowhere_is_refused(
        self, served: Served, learner: Person, path: str
    ) -> None:
        """A program with somebody's cookie must show a token."""
        headers = {**cookie_of(learner), "content-type": "application/json"}
        async with stream(served, path, CONNECT, headers) as (status, _):
            assert status == 403

    async def test_nobody_may_look_at_books_only(self, served: Served, path: str) -> None:
        """Without cookie and token: connected, and 101 for the rest."""
        rpc = {"id": 2, "rpc": {"method": "chat.send"}}
        async with stream(served, path, CONNECT, {}) as (_, down):
            welcome = (await anext(down))["connect"]
            body = {k: welcome[k] for k in ("session", "node")} | {"data": json.dumps(rpc)}
            async with httpx.AsyncClient(base_url=served.url) as http:
                await http.post("/emulation", json=body)
            assert (await anext(down))["error"]["code"] == 101
