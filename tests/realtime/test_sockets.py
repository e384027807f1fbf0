"""The WebSocket door: Origin, cookie, frames over a real uvicorn, and clients that stop reading."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from realtime import Limits
from realtime.testing import Kit
from tests.realtime.families import FAMILIES, NO_PINGS, RPC
from tests.realtime.served import COOKIE, ORIGIN, STOCK, Served, served
from tests.realtime.waiting import until

LIMITS = Limits(
    outgoing_max_bytes=200_000, write_timeout_s=0.5, close_timeout_s=0.2, ping_interval_s=NO_PINGS
)

PATIENT = Limits(close_timeout_s=60)


WAYS: dict[str, dict[str, Any]] = {
    "fast": {},
    "detached": {"fast": False},
    "asgi": {"detach": False},
    "stock": {"ws": STOCK, "detach": False},
}
"""Before ASGI, without it after the handshake, over that of our own server class, and of others."""


@pytest.fixture(params=WAYS)
async def door(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    kit = Kit(FAMILIES, rpc=RPC, limits=LIMITS)
    async with served(kit, **WAYS[request.param]) as server:
        yield server


@pytest.fixture(params=["fast", "detached", "asgi"])
async def own_door(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    """Our own class: it can abort, and knows what two origins mean."""
    kit = Kit(FAMILIES, rpc=RPC, limits=LIMITS)
    async with served(kit, **WAYS[request.param]) as server:
        yield server


async def ask(client: ClientConnection, **command: Any) -> dict[str, Any]:
    """Send one command, return the next frame."""
    await client.send(json.dumps({"id": 1, **command}))
    answer: dict[str, Any] = json.loads(await client.recv())
    return answer


async def close_code(client: ClientConnection) -> int | None:
    """Read until the server closes."""
    await client.wait_closed()
    return client.close_code


LOOKALIKES = [
    "null",
    "",
    "https://library.example.evil.test",
    "https://evil.test",
    "http://library.example",
    "https://library.example:444",
    "https://sub.library.example",
    "https://library.example.",
    "https://libraryxexample",
    "HTTPS://library.example/",
    "https://library.example, https://library.example",
    "//library.example",
    "library.example",
]


@pytest.mark.parametrize("origin", LOOKALIKES)
async def test_v4_4_2_foreign_origin_is_refused_before_accept(door: Served, origin: str) -> None:
    """403 as the answer to the handshake, with or without a cookie."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(door.url, additional_headers={"Origin": origin, "Cookie": COOKIE})
    assert refused.value.response.status_code == 403


async def test_v4_4_2_two_origin_headers_are_refused(own_door: Served) -> None:
    """Nobody honest sends two."""
    headers = [("Origin", ORIGIN), ("Origin", ORIGIN)]
    with pytest.raises(InvalidStatus) as refused:
        await connect(own_door.url, additional_headers=headers)
    assert refused.value.response.status_code == 403


async def test_own_origin_and_cookie_are_the_browsers_way_in(door: Served) -> None:
    """The cookie says who it is."""
    async with connect(door.url, additional_headers={"Origin": ORIGIN, "Cookie": COOKIE}) as client:
        assert "connect" in await ask(client, connect={})
        assert (await ask(client, rpc={"method": "who"}))["rpc"]["data"] == "7"


async def test_without_origin_the_cookie_proves_nothing(door: Served) -> None:
    """`connect` must carry a token; with one it is welcome, as is a stranger without cookie."""
    async with connect(door.url, additional_headers={"Cookie": COOKIE}) as client:
        assert (await ask(client, connect={}))["error"]["code"] == 101
        assert "connect" in await ask(client, connect={"token": "9"})
        assert (await ask(client, rpc={"method": "who"}))["rpc"]["data"] == "9"
    async with connect(door.url) as client:
        assert "connect" in await ask(client, connect={})
        assert (await ask(client, rpc={"method": "who"}))["error"]["code"] == 101


async def test_a_store_that_is_away_asks_the_client_to_come_back(door: Served) -> None:
    """3004 reconnects; a refusal of the handshake would hide the reason."""
    headers = {"Origin": ORIGIN, "Cookie": "session=broken"}
    async with connect(door.url, additional_headers=headers) as client:
        assert await close_code(client) == 3004


async def test_frames_may_be_bytes_and_hold_several_commands(door: Served) -> None:
    """Replies come in order, several to a frame."""
    async with connect(door.url) as client:
        await client.send(b'{"id":1,"connect":{"token":"7"}}\n{"id":2,"ping":{}}')
        lines: list[str] = []
        while len(lines) < 2:
            lines += str(await client.recv()).splitlines()
        assert [json.loads(line)["id"] for line in lines] == [1, 2]


async def test_malformed_and_oversize_frames_end_the_connection(door: Served) -> None:
    """3501 from the protocol, 1009 from the socket layer: both terminal for clients."""
    async with connect(door.url) as client:
        await client.send("{")
        assert await close_code(client) == 3501
    async with connect(door.url) as client:
        await client.send("x" * 70_000)
        assert await close_code(client) == 1009


async def test_rfc6455_pings_fragments_and_bytes_are_understood(door: Served) -> None:
    """Whatever a client library does within the protocol."""
    async with connect(door.url) as client:
        async with asyncio.timeout(5):
            await (await client.ping(b"are you there"))
        await client.send(['{"id":1,', '"connect":{}}'])
        assert "connect" in json.loads(await client.recv())
        await client.send(b'{"id":2,"ping":{}}')
        assert json.loads(await client.recv())["id"] == 2


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\x81\x01x", 1002),
        (b"\xc1\x81\0\0\0\0x", 1002),
        (b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x88\x82\0\0\0\0\x03\xe8", 1000),
        (b"\x88\x82\0\0\0\0\x03\xed", 1002),
    ],
    ids=["unmasked", "reserved bit", "not UTF-8", "goodbye", "a code that may not travel"],
)
async def test_rfc6455_faults_have_their_codes(own_door: Served, raw: bytes, code: int) -> None:
    """One close frame, and the connection is gone from the node."""
    client = socket.create_connection(_address(own_door.url))
    await asyncio.to_thread(_handshake, client)
    client.sendall(raw)
    client.settimeout(5)
    answer = await asyncio.to_thread(client.recv, 200)
    client.close()
    assert answer[0] == 0x88
    assert int.from_bytes(answer[2:4], "big") == code
    await until(lambda: own_door.kit.node.state.connections == 0)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\x88\x82\0\0\0\0\x03\xed", 1002),
        (b"\x88\x81\0\0\0\0x", 1002),
        (b"\x88\x83\0\0\0\0\x03\xe8\xff", 1007),
        (b"\x88\xfe\0\x7e\0\0\0\0" + bytes(126), 1002),
    ],
    ids=["a code that may not travel", "half a code", "not UTF-8", "too long"],
)
@pytest.mark.parametrize("way", ["fast", "detached", "asgi"])
async def test_rfc6455_a_goodbye_that_is_wrong_is_still_the_last_word(
    way: str, raw: bytes, code: int
) -> None:
    """The server hangs up at once (7.1.1): no second goodbye will ever come."""
    async with served(Kit(FAMILIES, limits=PATIENT), **WAYS[way]) as door:
        with socket.create_connection(_address(door.url)) as client:
            await asyncio.to_thread(_handshake, client)
            client.settimeout(5)
            client.sendall(raw)
            answer = await asyncio.to_thread(_to_the_end, client)
        assert (answer[0], answer[2:4]) == (0x88, code.to_bytes(2, "big"))


async def test_a_client_that_goes_leaves_nothing(door: Served) -> None:
    """With and without a goodbye."""
    async with connect(door.url) as client:
        await ask(client, connect={})
        assert door.kit.node.state.connections == 1
    rude = await connect(door.url)
    rude.transport.abort()
    await until(lambda: door.kit.node.state.connections == 0)


async def test_v4_4_2_a_client_that_stops_reading_is_aborted(own_door: Served) -> None:
    """Its memory is bounded, its socket is dropped, and the neighbour does not notice."""
    stalled = socket.create_connection(_address(own_door.url))
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.to_thread(_handshake, stalled)
    _send_text(
        stalled, '{"id":1,"connect":{"token":"7"}}\n{"id":2,"subscribe":{"channel":"tail:1"}}'
    )
    async with connect(own_door.url) as healthy:
        await ask(healthy, connect={"token": "8"})
        await ask(healthy, subscribe={"channel": "tail:1"})
        node = own_door.kit.node
        await until(lambda: len(node._channels._open["tail:1"].audience.members) == 2)
        data = b'"' + b"x" * 50_000 + b'"'
        published = 0
        async with asyncio.timeout(20):
            while node.state.connections == 2:
                await node.publish_tail("tail:1", data)
                published += 1
                received = json.loads(await healthy.recv())
                assert received["push"]["pub"]["offset"] == published
        await asyncio.to_thread(_drain, stalled)


async def test_pings_of_a_client_that_does_not_read_are_not_kept(own_door: Served) -> None:
    """Each asks for an answer: those that would have to wait for their reader are left out."""
    address = own_door.url.replace("websocket", "uni_websocket")
    stalled = socket.create_connection(_address(address))
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.to_thread(_handshake, stalled, "/connection/uni_websocket")
    ping = bytes([0x89, 0x80 | 125]) + bytes(4) + bytes(125)
    [protocol] = own_door.server.server_state.connections
    await asyncio.to_thread(stalled.sendall, ping * 100_000)
    assert protocol._transport.get_write_buffer_size() < 200_000  # type: ignore[union-attr]
    stalled.close()


async def test_without_our_protocol_class_a_stalled_client_still_leaves_the_node() -> None:
    """The stock class cannot abort, but the node forgets the client."""
    async with served(Kit(FAMILIES, limits=LIMITS), ws="websockets-sansio") as door:
        stalled = socket.create_connection(_address(door.url))
        await asyncio.to_thread(_handshake, stalled)
        _send_text(
            stalled, '{"id":1,"connect":{"token":"7"}}\n{"id":2,"subscribe":{"channel":"tail:1"}}'
        )
        node = door.kit.node
        await until(lambda: "tail:1" in node._channels._open)
        async with asyncio.timeout(20):
            while node.state.connections:
                await node.publish_tail("tail:1", b'"' + b"x" * 50_000 + b'"')
                await asyncio.sleep(0)
        stalled.close()


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("ws://").partition("/")[0].partition(":")
    return host, int(port)


def _handshake(client: socket.socket, path: str = "/connection/websocket") -> None:
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n".encode()
        + b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += client.recv(1)
    assert answer.startswith(b"HTTP/1.1 101")


def _send_text(client: socket.socket, text: str) -> None:
    """A masked text frame; the mask is zero."""
    data = text.encode()
    client.sendall(bytes([0x81, 0x80 | len(data)]) + bytes(4) + data)


def _to_the_end(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(200), b""))


def _drain(client: socket.socket) -> None:
    """Read to the end: an aborted socket ends with a reset or an end of file."""
    client.settimeout(5)
    try:
        while client.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    finally:
        client.close()
