"""S10: the app calls the hosts of its settings and no others (ASVS 5.0, 1.3.6, 13.2.4, 15.3.2)."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.infra.llm import LanguageModel, ModelFailure
from app.kit.principal import Role
from app.kit.secret import Secret
from app.settings import Settings
from app.worker import model_of
from tests.security.matrix import ROWS
from tests.security.matrix.calls import allowed_column, scene_for
from tests.support.routes import all_addresses
from tests.support.world import World


@dataclass(frozen=True)
class Turn:
    """One line for the model."""

    role: str = "user"
    content: str = "Hello"


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A host that nobody should call: its address, and what came."""
    came: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"127.0.0.1:{port}", came


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every TCP connection that this process opens, and every name that it looks up."""
    seen: list[tuple[str, int]] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def told_connect(self: socket.socket, address: Any) -> None:
        seen.append(address)
        connect(self, address)

    def told_look_up(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        seen.append((str(host), int(port or 0)))
        return look_up(host, port, *rest, **options)

    monkeypatch.setattr(socket.socket, "connect", told_connect)
    monkeypatch.setattr(socket, "getaddrinfo", told_look_up)
    return seen


def urls(value: Any, address: str) -> Any:
    """A body in which every text is an address."""
    if isinstance(value, str):
        return f"http://{address}/ssrf"
    if isinstance(value, dict):
        return {name: urls(part, address) for name, part in value.items()}
    return value


async def test_v1_3_6_no_address_of_a_user_is_fetched(world: World, settings: Settings) -> None:
    """Every field of every body, every search and every header that could name one, as an admin or
    whoever may: nothing is called."""
    headers = ("referer", "x-forwarded-host", "forwarded", "x-original-url", "x-callback-url")
    async with listening() as (address, came):
        url = f"http://{address}/ssrf"
        for one in all_addresses(settings):
            row = ROWS.get(one.name)
            if row is None or one.is_file or one.method == "ANY":
                continue
            scene = await scene_for(world, allowed_column(one))
            given = await row.arrange(scene)
            who = scene.who.bearer if scene.who else {}
            async with world.http.stream(
                one.method,
                one.path.format(**given.path),
                params={"q": url, "url": url, "next": url, "redirect_uri": url},
                json=urls(given.json, address) if one.changes_something else None,
                headers={**given.headers, **who, **dict.fromkeys(headers, url)},
            ) as answer:
                assert answer.status_code < 500, one.name
                assert url not in answer.headers.get("location", "")
        book = {"title": url, "description": f"![x]({url})", "extra": {"cover": url}}
        teacher = await world.someone(Role.TEACHER)
        answer = await world.http.post("/api/v1/books", json=book, headers=teacher.bearer)
        assert answer.status_code == 201
        assert came == []


async def test_v13_2_4_only_configured_hosts_are_called(
    world: World, settings: Settings, connections: list[tuple[str, int]]
) -> None:
    """A question, an answer, a cover and a sign-in reach the model, the store and the database, all
    named in the settings; no other host is connected to or looked up."""
    model = model_of(settings)
    pieces = [piece async for piece in model.answer([Turn()])]
    await model.stop()
    assert pieces
    await world.house.storage.put("tests/outbound", b"x", "text/plain")
    await world.house.db.fetchval("SELECT 1")
    addresses = (
        settings.openai_base_url,
        settings.s3_endpoint_url,
        settings.redis_url.reveal(),
        settings.database_url.reveal(),
        world.served.url,
    )
    allowed = {(urlsplit(one).hostname, urlsplit(one).port) for one in addresses}
    called = {(str(one[0]), one[1]) for one in connections if isinstance(one, tuple)}
    assert (
        urlsplit(settings.openai_base_url).hostname,
        urlsplit(settings.openai_base_url).port,
    ) in called
    assert called <= allowed


async def test_v15_3_2_redirects_are_not_followed() -> None:
    """A model's server that sends us elsewhere is a server that failed."""
    async with listening() as (elsewhere, came):

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                f"HTTP/1.1 307 Go\r\nlocation: http://{elsewhere}/v1/chat\r\n"
                "content-length: 0\r\nconnection: close\r\n\r\n".encode()
            )
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(redirect, "127.0.0.1", 0)
        async with server:
            model = LanguageModel(
                base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1",
                api_key=Secret("canary"),
                model="m",
                max_tokens=5,
                first_token_s=2,
                idle_s=2,
            )
            with pytest.raises(ModelFailure):
                _ = [piece async for piece in model.answer([Turn()])]
            await model.stop()
        assert came == []
