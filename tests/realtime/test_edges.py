"""What an attacker tries at the edges: names, sizes to the byte, bodies that never end."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import connect

from realtime import ChannelFamily, Delivery, Identity, Limits
from realtime.testing import Kit
from tests.realtime.allowing import TALK, code_of
from tests.realtime.families import everybody
from tests.realtime.served import Served, served

LEARNER = Identity(user="7", session="s7")
OPEN = replace(TALK, authorize=everybody, authorize_publish=everybody)
FRAME_BYTES = 64 * 1024


@pytest.fixture
async def door() -> AsyncIterator[Served]:
    limits = Limits(connect_timeout_s=1)
    async with served(Kit([OPEN], open_to_all=True, limits=limits)) as server:
        yield server


def publish_of(size: int, fill: str) -> str:
    """A publish command of exactly so many bytes."""
    head, tail = '{"id":2,"publish":{"channel":"talk:1","data":"', '"}}'
    left = size - len(head) - len(tail)
    text = fill * (left // len(fill))
    return head + text + "x" * (left - len(text)) + tail


async def test_a_frame_of_exactly_the_bound_is_taken_and_one_byte_more_is_not(
    door: Served,
) -> None:
    """64 KiB, and everybody gets what was in it; one byte more is the end of the sender."""
    async with connect(door.url) as sender, connect(door.url) as hearer:
        for socket in (sender, hearer):
            await socket.send('{"id":1,"connect":{}}')
            await socket.recv()
        await hearer.send('{"id":3,"subscribe":{"channel":"talk:1"}}')
        await hearer.recv()
        frame = publish_of(FRAME_BYTES, "a")
        await sender.send(frame)
        assert json.loads(await sender.recv()) == {"id": 2, "publish": {}}
        push = json.loads(await hearer.recv())["push"]["pub"]
        assert push["data"] == json.loads(frame)["publish"]["data"]
        await sender.send(publish_of(FRAME_BYTES + 1, "a"))
        await sender.wait_closed()
        assert sender.close_code == 1009
        await hearer.send('{"id":4,"ping":{}}')
        assert json.loads(await hearer.recv()) == {"id": 4, "ping": {}}


async def test_the_same_frame_fits_through_emulation(door: Served) -> None:
    """Also when every byte of it must be escaped: JSON inside JSON."""
    base = f"http://{urlsplit(door.url).netloc}"
    opening = '{"id":1,"connect":{}}\n{"id":3,"subscribe":{"channel":"talk:1"}}'
    async with (
        httpx.AsyncClient(base_url=base, timeout=10) as http,
        http.stream("POST", "/connection/http_stream", content=opening) as down,
    ):
        lines = down.aiter_lines()
        welcome = json.loads(await anext(lines))["connect"]
        await anext(lines)
        said = {"session": welcome["session"], "node": welcome["node"]}
        for size, status in ((FRAME_BYTES, 204), (2 * FRAME_BYTES, 413)):
            frame = publish_of(size, '\\"')
            answer = await http.post("/emulation", json={**said, "data": frame})
            assert answer.status_code == status
        found = [json.loads(await anext(lines)) for _ in range(2)]
        assert {"id": 2, "publish": {}} in found


@pytest.mark.parametrize("path", ["/connection/http_stream", "/connection/uni_sse", "/emulation"])
async def test_s13_a_body_that_never_ends_is_not_waited_for(door: Served, path: str) -> None:
    """408 in the time a socket has for its `connect`, and the line is closed."""
    address = urlsplit(door.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    writer.write(head.encode() + b"half")
    async with asyncio.timeout(10):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    writer.close()


def test_a_name_holds_no_control_characters() -> None:
    """A line break would forge a line of the log; PostgreSQL takes no zero."""
    family = ChannelFamily("talk:{id}", Delivery.TAIL, everybody)
    for name in ("talk:1", "talk:a b", "talk:\u00e9", "talk:}", "talk:\u0131"):
        assert family.owns(name), name
    for name in ("talk:\n", "talk:1\r\nx", "talk:\0", "talk:\x1b[2J", "talk:\u2028", "talk:", "t"):
        assert not family.owns(name), name


async def test_a_long_name_opens_nothing() -> None:
    """Publishing and reading need no subscription, and have the same bound."""
    async with Kit([OPEN]) as house:
        client = await house.connected(LEARNER)
        name = "talk:" + "x" * 300
        for verb in ("publish", "history", "presence", "presence_stats"):
            body = {"data": 1} if verb == "publish" else {}
            assert await code_of(client, verb, channel=name, **body) == 102
        assert await code_of(client, "subscribe", channel=name) == 107
        assert house.node.state.channels == 0
