"""What tests of the tutor say over HTTP."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from tests.support.house import Person
from tests.support.tutor import until

V1 = "/api/v1"


async def ask(reader: Person, message: str, **more: Any) -> httpx.Response:
    """POST /chat."""
    body = {"message": message, **more}
    return await reader.http.post(f"{V1}/chat", json=body, timeout=20)


async def events_of(answer: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Id and data of the server-sent events."""
    number = ""
    async for line in answer.aiter_lines():
        if line.startswith("id: "):
            number = line[4:]
        elif line.startswith("data: "):
            yield number, json.loads(line[6:])


@contextlib.asynccontextmanager
async def streamed(reader: Person, message: str) -> AsyncIterator[httpx.Response]:
    """POST /chat as a stream."""
    accept = {"accept": "text/event-stream"}
    async with reader.http.stream(
        "POST", f"{V1}/chat", json={"message": message}, headers=accept, timeout=20
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield answer


async def message_of(reader: Person, message_id: int) -> dict[str, Any]:
    """GET one turn."""
    body: dict[str, Any] = (await reader.http.get(f"{V1}/chat/messages/{message_id}")).json()
    return body


async def status_becomes(reader: Person, message_id: int, status: str) -> dict[str, Any]:
    """The turn once it stands there."""

    async def look() -> dict[str, Any] | None:
        body = await message_of(reader, message_id)
        return body if body["status"] == status else None

    body: dict[str, Any] = await until(look)
    return body
