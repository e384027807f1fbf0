"""R14: readers that stall are closed, what waits for them is bounded, and nobody else notices."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from app.http.ws.frames import close_frame
from realtime import Limits
from realtime.testing import Kit, MemoryLog
from tests.realtime.families import FAMILIES, RPC
from tests.realtime.served import served
from tests.realtime.waiting import until
from tests.support.hostile import HANDSHAKE, masked_text
from tests.support.peer import crowd, crowd_server
from tests.support.report import FULL, Report, sized

pytestmark = pytest.mark.chaos

READERS, STALLED = sized((49, 1), (900, 100))
BOUND = 200_000
LIMITS = {"outgoing_max_bytes": BOUND, "max_user_connections": 20_000, "drain_s": 0.01}
LIMITS |= {"window_size": 4}  # what is kept for recovery would hide what waits for the slow
SLOW_WITHIN_S = 10.0
PER_S = sized(50.0, 10.0)
LARGE = 100_000
"""Bytes: the kernel takes megabytes for a reader before anything waits here."""
SLACK_KIB = 8 * 1024
"""The garbage of the publisher itself, and what the allocator keeps."""
NEIGHBOUR_FACTOR = 1.5
NEIGHBOUR_FLOOR_MS = 20.0
"""Below this a ratio says nothing on a shared machine."""


async def open_and_stall(url: str, *channels: str) -> socket.socket:
    """A client that subscribes and never reads again."""
    address = urlsplit(url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (address.hostname, address.port))
    await loop.sock_sendall(client, HANDSHAKE)
    while b"\r\n\r\n" not in await loop.sock_recv(client, 4096):
        pass
    hello = ['{"id":1,"connect":{"token":"s"}}']
    hello += [f'{{"id":2,"subscribe":{{"channel":"{channel}"}}}}' for channel in channels]
    await loop.sock_sendall(client, masked_text("\n".join(hello)))
    return client


@asynccontextmanager
async def stalled(url: str, number: int, *channels: str) -> AsyncIterator[None]:
    """So many of them."""
    clients = [await open_and_stall(url, *channels) for _ in range(number)]
    try:
        yield
    finally:
        for client in clients:
            client.close()


@pytest.mark.timeout(sized(60, 600))
async def test_r14_readers_that_stall_are_closed_and_nobody_notices() -> None:
    """Gone within ten seconds; memory within the bound; the others hear all, as soon as before."""
    report = Report("R14", clients=READERS)
    async with crowd_server(**LIMITS) as (server, url):
        wanted = ((str(n), "", ["tail:1"]) for n in range(READERS))
        async with crowd(url, wanted) as ears, stalled(url, STALLED, "tail:1", "flood:1"):
            await server.ask("publish", channels=["tail:1"], number=100, per_s=PER_S)
            before = await ears.ask("report")
            how = {"channel": "flood:1", "size": LARGE, "gone": STALLED, "beside": "tail:1"}
            how |= {"per_s": PER_S, "at_most_s": 2 * SLOW_WITHIN_S}
            told = await server.ask("flood", how=how)
            heads = {"tail:1": told["heads"]["tail:1"]}
            late = await ears.ask("level", heads=heads, within_s=10)
            during = await ears.ask("report")
    report.events, report.p99 = during["heard"], during["p99_ms"]
    report.missing = during["missing"] + late["behind"]
    report.duplicated = during["duplicated"]
    report.extra = {
        "stalled": STALLED,
        "closed_s": round(told["gone_s"], 2),
        "before_ms": before["p99_ms"],
        "more_kib": round(told["more_kib"]),
    }
    report.demand("closed in time", told["gone_s"] <= SLOW_WITHIN_S * sized(1.2, 1))
    report.demand("only they", told["connections"] == READERS and not during["connects"])
    report.demand("memory", told["more_kib"] <= SLACK_KIB + STALLED * BOUND / 1024)
    if FULL:
        allowed_ms = max(NEIGHBOUR_FACTOR * before["p99_ms"], NEIGHBOUR_FLOOR_MS)
        report.demand("the others' p99", report.p99 <= allowed_ms)
    report.conclude()


async def test_r14_who_reads_again_learns_that_they_were_slow() -> None:
    """3008, behind what the kernel had taken: come back, with backoff, and recover."""
    loop = asyncio.get_running_loop()
    limits = Limits(outgoing_max_bytes=BOUND, close_timeout_s=30)
    async with served(Kit(FAMILIES, rpc=RPC, log=MemoryLog(), limits=limits)) as door:
        node = door.kit.node
        client = await open_and_stall(door.url, "tail:1")
        await until(lambda: "tail:1" in node._channels._open)
        audience = node._channels._open["tail:1"].audience
        await until(lambda: bool(audience.members))
        (connection,) = node._hub.connections.values()
        while connection._close is None:
            await node.publish_tail("tail:1", b"1" + b" " * LARGE)
            await asyncio.sleep(0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 2**20)
        goodbye = close_frame(3008, "slow")
        answer = b""
        async with asyncio.timeout(20):
            while not answer.endswith(goodbye):
                answer = answer[-len(goodbye) :] + await loop.sock_recv(client, 1_000_000)
        client.close()
