"""The fast way in opens what the app would open, refuses nothing by itself, and asks its rules."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.http.http_protocol import HttpProtocol
from app.http.ws.frames import TEXT, frame
from app.http.ws.handshake import plain_opening
from realtime.testing import Kit
from tests.realtime.families import FAMILIES, RPC
from tests.realtime.served import COOKIE, ORIGIN, Served, served
from tests.realtime.waiting import until

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
PATH = "/connection/websocket"
MASKED_CONNECT = b"".join(
    [bytes([0x81, 0x80 | len(b'{"id":1,"connect":{}}')]), bytes(4), b'{"id":1,"connect":{}}']
)
CHROME = (
    "Host: library.example",
    "Connection: keep-alive, Upgrade",
    "Pragma: no-cache",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    "Upgrade: websocket",
    f"Origin: {ORIGIN}",
    "Sec-WebSocket-Version: 13",
    "Accept-Encoding: gzip, deflate, br, zstd",
    f"Cookie: {COOKIE}",
    KEY,
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
)
NEEDS_A_PARSER = "X-Twice: 1\r\nX-Twice: 2"
"""Means nothing, but is for the HTTP parser to judge."""


def head(*lines: str, target: str = PATH, method: str = "GET") -> bytes:
    """A request's head."""
    return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def without(name: str, *more: str) -> tuple[str, ...]:
    """The browser's headers with others in the place of one."""
    return (*(line for line in CHROME if not line.startswith(f"{name}:")), *more)


@asynccontextmanager
async def wired(door: Served) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection."""
    address = urlsplit(door.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def opened(door: Served, request: bytes) -> tuple[bytes, dict[str, Any]]:
    """The answer to a handshake, headers in one order, and to `connect` when there is a socket."""
    async with asyncio.timeout(5), wired(door) as (reader, writer):
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 101"):
            return answer.split(b"\r\n", 1)[0], {}
        writer.write(MASKED_CONNECT)
        size = (await reader.readexactly(2))[1]
        reply: dict[str, Any] = json.loads(await reader.readexactly(size))
        reply.get("connect", {}).pop("client", None)
        return answer, reply


@pytest.fixture
async def door() -> AsyncIterator[Served]:
    async with served(Kit(FAMILIES, rpc=RPC)) as server:
        yield server


async def test_a_browsers_handshake_needs_no_request(door: Served) -> None:
    """The app never hears of it, and the socket is the person's."""
    answer, reply = await opened(door, head(*CHROME))
    assert answer.startswith(b"HTTP/1.1 101")
    assert "connect" in reply
    assert not door.heard


@pytest.mark.parametrize(
    "lines",
    [
        CHROME,
        without("Cookie"),
        without("Origin"),
        without("Origin", "Origin: https://evil.example"),
        without("Origin", f"Origin: {ORIGIN}.evil.example"),
        without("Origin", f"Origin: {ORIGIN}", f"Origin: {ORIGIN}"),
        without("Cookie", "Cookie: session=of nobody"),
        without("Origin", "X-Forwarded-For: 192.0.2.1"),
        without("Sec-WebSocket-Version", "Sec-WebSocket-Version: 12"),
        without("Sec-WebSocket-Key", "Sec-WebSocket-Key: short"),
        without("Sec-WebSocket-Key"),
        without("Upgrade", "Upgrade: h2c"),
    ],
)
async def test_v4_4_2_both_ways_give_the_same_answer(door: Served, lines: tuple[str, ...]) -> None:
    """Whatever the fast way may do, the route does: the same rules decide."""
    fast = await opened(door, head(*lines))
    heard = len(door.heard)
    assert fast == await opened(door, head(*lines, NEEDS_A_PARSER))
    assert len(door.heard) > heard or not fast[0].startswith(b"HTTP/1.1 101")


async def test_what_the_rules_refuse_is_refused_by_the_app() -> None:
    """Too many requests of one address: the fast way leaves the answer to the app."""
    asked: list[Any] = []

    def admits(scope: Any) -> bool:
        asked.append(scope["client"][0])
        return False

    async with served(Kit(FAMILIES), admits=admits) as door:
        await opened(door, head(*CHROME))
        assert asked == ["127.0.0.1"]
        assert door.heard == [PATH]


async def test_a_trusted_proxys_word_on_the_address_is_taken() -> None:
    """The limits count whom the proxy names."""
    asked: list[Any] = []

    def admits(scope: Any) -> bool:
        asked.append((scope["client"][0], scope["scheme"]))
        return True

    forwarded = ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https")
    async with served(Kit(FAMILIES), admits=admits) as door:
        await opened(door, head(*CHROME, *forwarded))
        assert asked == [("192.0.2.7", "wss")]
        assert not door.heard


async def test_a_head_in_two_pieces_is_for_the_parser(door: Served) -> None:
    """Nothing is guessed from a part."""
    request = head(*CHROME)
    async with asyncio.timeout(5), wired(door) as (reader, writer):
        writer.write(request[:40])
        await writer.drain()
        await until(lambda: any(not isinstance(c, HttpProtocol) for c in _connections(door)))
        writer.write(request[40:])
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    assert door.heard == [PATH]


async def test_whoever_says_nothing_is_dropped(
    door: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One timer looks after all who have not begun; those who speak are not touched by it."""
    monkeypatch.setattr(HttpProtocol, "head_timeout_s", 0.2)
    async with asyncio.timeout(5), wired(door) as (silent, _), wired(door) as (reader, writer):
        writer.write(head(*CHROME))
        await reader.readuntil(b"\r\n\r\n")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await silent.readexactly(1)
        writer.write(MASKED_CONNECT)
        await reader.readuntil(b'"connect"')


async def test_a_process_that_drains_sends_new_sockets_on(door: Served) -> None:
    """The handshake is answered, then the close says where to go."""
    await door.kit.node.drain()
    async with asyncio.timeout(5), wired(door) as (reader, writer):
        writer.write(head(*CHROME))
        await reader.readuntil(b"\r\n\r\n")
        assert (await reader.readexactly(4))[2:] == (3001).to_bytes(2, "big")


@pytest.mark.parametrize(
    "request_head",
    [
        head(*CHROME)[:-2],
        head(*CHROME) + frame(TEXT, b"x"),
        head(*CHROME, method="POST"),
        head(*CHROME).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
        head(*CHROME, "Content-Length: 0"),
        head(*CHROME, "Transfer-Encoding: chunked"),
        head(*CHROME, "Expect: 100-continue"),
        head(*CHROME, "X-Folded: a\r\n b"),
        head(*CHROME, "X-Bad : a"),
        head(*CHROME, "X-Zero: a\0b"),
        head(*CHROME, "X-Return: a\rb"),
        head(*CHROME, "X-Line: a\nb"),
        head(*CHROME, "X-End: a "),
        head(*CHROME, "no colon"),
        head(*CHROME, ": no name"),
        head(*CHROME, NEEDS_A_PARSER),
        head(*CHROME, "Sec-WebSocket-Protocol: centrifuge-protobuf"),
        head(*without("Host")),
        head(*without("Connection")),
        head(*CHROME, target="http://library.example/connection/websocket"),
        head(*CHROME).replace(b"\r\n", b"\n"),
    ],
)
def test_v4_2_1_only_a_plain_head_is_read_without_a_parser(request_head: bytes) -> None:
    """Whatever two readers might read in two ways is read by one: no request is smuggled."""
    assert plain_opening(head(*CHROME)) is not None
    assert plain_opening(request_head) is None


def _connections(door: Served) -> list[Any]:
    return list(door.server.server_state.connections)
