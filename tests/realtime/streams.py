"""Streams over real HTTP, as tests read them and speak beside them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvicorn

from realtime.testing import Kit
from tests.realtime.served import served

STREAMS = ("/connection/sse", "/connection/http_stream")


@dataclass
class House:
    """A served kit and an HTTP client of it."""

    kit: Kit
    base: str
    http: httpx.AsyncClient
    server: uvicorn.Server


@asynccontextmanager
async def running(kit: Kit) -> AsyncIterator[House]:
    async with served(kit) as server:
        base = f"http://{urlsplit(server.url).netloc}"
        async with httpx.AsyncClient(base_url=base, timeout=10) as http:
            yield House(kit, base, http, server.server)


class Stream:
    """What comes down one stream, as JSON objects."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self) -> Any:
        """Take the next object; None at the end."""
        async with asyncio.timeout(5):
            async for line in self._lines:
                text = line.removeprefix("data: ")
                if text:
                    return json.loads(text)
        return None


@asynccontextmanager
async def stream(
    house: House, path: str, *frames: dict[str, Any], method: str = "POST", **headers: str
) -> AsyncIterator[Stream]:
    """Open a stream with these commands as its first frame."""
    text = "\n".join(json.dumps(frame) for frame in frames)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    sent: dict[str, Any] = {"params": {"cf_connect": text}}
    if method == "POST":
        sent = {"content": text}
    async with house.http.stream(method, path, headers=names, **sent) as response:
        yield Stream(response)


async def speak(house: House, connect: dict[str, Any], *commands: dict[str, Any]) -> int:
    """Send commands of an emulated client; returns the status."""
    data = "\n".join(json.dumps(command) for command in commands)
    body = {"session": connect["session"], "node": connect["node"], "data": data}
    return (await house.http.post("/emulation", json=body)).status_code
