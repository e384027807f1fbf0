"""SSE, HTTP streaming and emulation over real HTTP: the same behaviour as on a socket."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from realtime import Broker, Limits, MemoryBroker, MemoryBus
from realtime.broker_redis import RedisBroker, RedisOptions
from realtime.testing import Kit
from tests.realtime.families import FAMILIES, RPC
from tests.realtime.served import COOKIE, ORIGIN
from tests.realtime.streams import STREAMS, House, running, speak, stream
from tests.realtime.waiting import until
from tests.support.redis_server import RedisServer

SMALL = Limits(max_frame_bytes=2000, outgoing_max_bytes=20_000, write_timeout_s=0.3)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with running(Kit(FAMILIES, rpc=RPC, limits=SMALL)) as one:
        yield one


@pytest.mark.parametrize(
    ("path", "method"), [(STREAMS[0], "GET"), (STREAMS[0], "POST"), (STREAMS[1], "POST")]
)
class TestEmulated:
    async def test_commands_go_up_and_answers_come_down(
        self, house: House, path: str, method: str
    ) -> None:
        """Connect, subscribe, rpc, a publication."""
        connect = {"id": 1, "connect": {"token": "7"}}
        async with stream(house, path, connect, method=method) as down:
            welcome = (await down.next())["connect"]
            subscribe = {"id": 2, "subscribe": {"channel": "tail:1"}}
            rpc = {"id": 3, "rpc": {"method": "who", "data": {}}}
            assert await speak(house, welcome, subscribe, rpc) == 204
            replies = [await down.next(), await down.next()]
            assert {"id": 3, "rpc": {"data": "7"}} in replies
            await house.kit.node.publish_tail("tail:1", b'"news"')
            assert (await down.next())["push"]["pub"] == {"data": "news", "offset": 1}

    async def test_the_goodbye_is_a_push(self, house: House, path: str, method: str) -> None:
        """There is no close frame: a disconnect push, and the end of the answer."""
        connect = {"id": 1, "connect": {"token": "7"}}
        async with stream(house, path, connect, method=method) as down:
            await down.next()
            await house.kit.node.disconnect_user("7")
            goodbye = (await down.next())["push"]["disconnect"]
            assert goodbye == {"code": 3503, "reason": "force disconnect"}
            assert await down.next() is None

    async def test_a_client_that_goes_is_forgotten(
        self, house: House, path: str, method: str
    ) -> None:
        """Its secret opens nothing any more."""
        connect = {"id": 1, "connect": {"token": "7"}}
        async with stream(house, path, connect, method=method) as down:
            welcome = (await down.next())["connect"]
        await until(lambda: house.kit.node.state.connections == 0)
        assert await speak(house, welcome, {"id": 2, "ping": {}}) == 404

    async def test_the_cookie_counts_with_an_own_origin_only(
        self, house: House, path: str, method: str
    ) -> None:
        """As on the socket: a foreign origin is 403, none needs a token."""
        connect = {"id": 1, "connect": {}}
        rpc = {"id": 2, "rpc": {"method": "who"}}
        ways: list[tuple[dict[str, str], object]] = [
            ({"origin": ORIGIN}, "7"),
            ({"sec_fetch_site": "same-origin"}, "7"),
            ({"sec_fetch_site": "cross-site"}, 101),
            ({}, 101),
        ]
        for headers, expected in ways:
            both = {**headers, "cookie": COOKIE}
            async with stream(house, path, connect, rpc, method=method, **both) as down:
                first = await down.next()
                if expected == 101:
                    assert first["error"]["code"] == 101, headers
                else:
                    assert (await down.next())["rpc"]["data"] == expected, headers
        foreign = {"origin": "https://evil.example", "cookie": COOKIE}
        async with stream(house, path, connect, method=method, **foreign) as refused:
            assert refused.response.status_code == 403

    async def test_a_store_that_is_away_is_said(self, house: House, path: str, method: str) -> None:
        """503: come back later."""
        headers = {"origin": ORIGIN, "cookie": "session=broken"}
        connect = {"id": 1, "connect": {}}
        async with stream(house, path, connect, method=method, **headers) as refused:
            assert refused.response.status_code == 503

    async def test_a_malformed_frame_is_answered_with_the_code(
        self, house: House, path: str, method: str
    ) -> None:
        """3501 travels as a push."""
        async with stream(house, path, {"id": 1, "ping": {}}, method=method) as down:
            assert (await down.next())["push"]["disconnect"]["code"] == 3501


async def test_bodies_and_methods_are_checked(house: House) -> None:
    """400 without a frame, 405 for another method, 413 for too much."""
    assert (await house.http.get("/connection/sse")).status_code == 400
    assert (await house.http.put("/connection/sse", content=b"{}")).status_code == 405
    assert (await house.http.get("/connection/http_stream")).status_code == 405
    large = await house.http.post("/connection/http_stream", content=b"x" * 2001)
    assert large.status_code == 413
    assert (await house.http.get("/emulation")).status_code == 405
    for body in (b"", b"{}", b'{"session":1,"node":"","data":""}'):
        assert (await house.http.post("/emulation", content=body)).status_code == 400
    foreign = {"origin": "https://evil.example"}
    answer = await house.http.post("/emulation", content=b"{}", headers=foreign)
    assert answer.status_code == 403


async def check_forwarding(owner: Broker, other: Broker) -> None:
    """One process holds the client, its command lands on the other."""
    async with (
        running(Kit(FAMILIES, rpc=RPC, broker=owner, name="owner")) as here,
        running(Kit(FAMILIES, rpc=RPC, broker=other, name="other")) as there,
        stream(here, STREAMS[1], {"id": 1, "connect": {"token": "7"}}) as down,
    ):
        welcome = (await down.next())["connect"]
        assert welcome["node"] == "owner"
        rpc = {"id": 2, "rpc": {"method": "who"}}
        assert await speak(there, welcome, rpc) == 204
        assert (await down.next())["rpc"]["data"] == "7"
        assert await speak(there, {**welcome, "node": "gone"}, rpc) == 404


async def test_what_lands_on_another_process_is_forwarded() -> None:
    """The process that holds the client answers it; a process that is gone is 404."""
    bus = MemoryBus()
    await check_forwarding(MemoryBroker(bus), MemoryBroker(bus))


async def test_it_is_forwarded_through_redis(shared_redis: RedisServer) -> None:
    """The same between processes that share nothing but Redis."""
    options = RedisOptions(prefix=f"forward{secrets.token_hex(4)}")
    brokers = [RedisBroker(shared_redis.url, options) for _ in range(2)]
    await check_forwarding(*brokers)


async def test_without_the_broker_it_cannot_be_forwarded() -> None:
    """503: the client's command timeout and retry do the rest."""
    bus = MemoryBus()
    async with running(Kit(FAMILIES, broker=MemoryBroker(bus))) as house:
        bus.down = True
        elsewhere = {"session": "s", "node": "elsewhere"}
        assert await speak(house, elsewhere, {"id": 2, "ping": {}}) == 503
        bus.down = False


async def test_a_reader_that_stops_is_dropped(house: House) -> None:
    """The bound of the queue holds for streams too, and the socket is let go."""
    host, port = urlsplit(house.base).netloc.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    body = b'{"id":1,"connect":{"token":"7"}}\n{"id":2,"subscribe":{"channel":"tail:1"}}'
    head = f"POST {STREAMS[1]} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await reader.readuntil(b'"subscribe"')
    await until(lambda: house.kit.node._channels.get("tail:1") is not None)
    big = json.dumps("x" * 15_000).encode()
    for _ in range(2000):
        await house.kit.node.publish_tail("tail:1", big)
        await asyncio.sleep(0)  # the writer's turn
        if not house.kit.node.state.connections:
            break
    await until(lambda: house.kit.node.state.connections == 0)
    # Nothing was read since: only a reset lets the server's socket go.
    await until(lambda: not house.server.server_state.connections)
    writer.transport.abort()
