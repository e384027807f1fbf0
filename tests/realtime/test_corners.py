"""Turns of a connection that seldom come, and a broker that answers but refuses."""

import asyncio
import json
from collections.abc import Awaitable, Sequence
from dataclasses import replace

import pytest
from redis import Redis

from realtime import (
    BrokerUnavailable,
    ChannelFamily,
    Delivery,
    Frame,
    Identity,
    Limits,
    MemoryBroker,
    MemoryBus,
    Publication,
    TransportClosed,
)
from realtime.broker import Message
from realtime.broker_redis import RedisBroker
from realtime.codes import INSUFFICIENT_STATE
from realtime.deadlines import NEVER
from realtime.fanout import Crowd
from realtime.testing import Kit, MemoryLog, MemoryTransport
from realtime.writer import Writer
from tests.realtime.families import FAMILIES, LOG, OWN, TAIL, VALUE, value
from tests.realtime.floor import Floor
from tests.realtime.test_fanout import wired
from tests.realtime.waiting import until
from tests.support.redis_server import RedisServer

LEARNER = Identity(user="7", session="s7")


async def test_a_forgotten_connection_is_never_looked_at_again() -> None:
    """A timer that comes after its end puts nothing back on the wheel."""
    async with Kit(FAMILIES) as house:
        client = await house.connected(LEARNER)
        await client.cut()
        client.connection.tick()
        house.node._commands.arm(client.connection)
        assert client.connection.armed == NEVER


async def test_leaving_what_was_never_entered_tells_nobody() -> None:
    """A refused subscribe and an unsubscribe in one frame: confirmed, and no leave is told."""
    async with Kit([replace(OWN, join_leave=True)]) as house:
        owner = await house.connected(Identity(user="8", session="s8"))
        await owner.subscribe("user:8")
        await owner.assert_push("user:8", "join")
        client = await house.connected(LEARNER)
        client.send(
            '{"id":8,"subscribe":{"channel":"user:8"}}\n{"id":9,"unsubscribe":{"channel":"user:8"}}'
        )
        await client._find(lambda f: f.get("id") == 9, "reply")
        assert [f["error"]["code"] for f in client.transport.frames] == [103]
        await owner.assert_no_push("user:8", "leave")


async def test_back_before_the_loss_was_cleared_up_keeps_its_lease() -> None:
    """Leave, come back, and a loss between the two: the client is there, and stays there."""
    async with Kit([LOG]) as house:
        client = await house.connected(LEARNER)
        await client.subscribe("log:1")
        await until(lambda: not len(client.connection._tasks or ()))
        client.send(
            '{"id":8,"unsubscribe":{"channel":"log:1"}}\n{"id":9,"subscribe":{"channel":"log:1"}}'
        )
        client.connection.lose_channel("log:1", INSUFFICIENT_STATE)
        await client._find(lambda f: f.get("id") == 9, "reply")
        await until(lambda: not len(client.connection._tasks or ()))
        assert list(house.node._presence._parked) == []
        stats = await client.command("presence_stats", channel="log:1")
        assert stats["num_clients"] == 1


async def test_a_newer_value_while_an_older_is_sent_stays_kept() -> None:
    """It is sent in its turn."""
    heard: list[int] = []

    class Publishing(MemoryBroker):
        async def publish(self, channel: str, message: Message, *, key: str = "") -> None:
            heard.append(message.publication.version)
            if message.publication.version == 1:
                house.node._upkeep.keep_value(channel, Message.of(value(2)))
            await super().publish(channel, message, key=key)

    async with Kit([VALUE], broker=Publishing()) as house:
        house.node._upkeep.keep_value("value:1", Message.of(value(1)))
        await house.node._upkeep.sweep()
        assert heard == [1, 2]


async def test_leases_that_are_gone_before_their_turn_are_not_renewed() -> None:
    """A batch may be empty when it comes."""
    async with Kit([LOG], broker=MemoryBroker(bus := MemoryBus())) as house:
        assert await house.node._presence._renew_some("log:1", ["gone"]) == 0
        assert not bus.leases


async def test_a_transport_that_is_gone_has_nobody_to_tell() -> None:
    """A writer whose connection has ended."""

    class Gone(MemoryTransport):
        async def send(self, frames: Sequence[Frame]) -> None:
            raise TransportClosed

    writer = Writer(Gone(), Limits())
    writer.push(Frame(b"{}"))
    await writer._flush(1)
    assert not writer._gone


async def test_a_rule_that_returns_a_future_is_awaited() -> None:
    """Not every awaitable can be closed."""

    def later(_identity: Identity, _channel: str) -> Awaitable[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    async with Kit([ChannelFamily("odd:{id}", Delivery.TAIL, later)]) as house:
        for _ in "ab":
            client = await house.connected(LEARNER)
            assert (await client.subscribe("odd:1"))["recoverable"]


async def test_who_asks_for_joins_hears_of_them_where_nobody_is_asked() -> None:
    """Also when the subscription is answered in the step that read it."""

    def anybody(_identity: Identity, _channel: str) -> None:
        """Let everybody in."""

    async with Kit([ChannelFamily("own:{id}", Delivery.TAIL, anybody)]) as house:
        for _ in "ab":
            client = await house.connected(LEARNER)
            assert (await client.subscribe("own:1", join_leave=True))["recoverable"]


async def test_a_slot_of_the_dead_is_left_out_where_channels_leave_together(
    floor: Floor,
) -> None:
    """The others get what both channels had."""
    living, dead = await floor.pair(), await floor.pair()
    crowds = [Crowd(floor.fanout), Crowd(floor.fanout)]
    for crowd in crowds:
        for pair in (living, dead):
            crowd.add(pair.wire.slot)
    dead.transport.abort()
    await until(lambda: dead.wire.slot < 0)
    for number, crowd in enumerate(crowds):
        crowd.push(wired(number))
    both = wired(0).websocket + wired(1).websocket
    assert await living.received(len(both)) == both


async def test_a_redis_without_memory_refuses_and_loses_nothing(
    redis_server: RedisServer,
) -> None:
    """Streams are refused, once for each key, logs go on; with memory again all goes on."""
    log = MemoryLog()
    async with Kit([LOG, TAIL], broker=RedisBroker(redis_server.url), log=log) as house:
        client = await house.connected(LEARNER)
        await client.subscribe("tail:1")
        await client.subscribe("log:1")
        await house.node.publish_tail("tail:1", b"1", key="a")
        with Redis.from_url(redis_server.url) as operator:
            operator.config_set("maxmemory", 1)
            with pytest.raises(BrokerUnavailable, match="maxmemory"):
                await house.node.publish_tail("tail:1", b"2", key="b")
            await house.node.publish_log("log:1", log.commit("log:1", "fact"))
            assert (await client.assert_push("log:1"))["data"] == "fact"
            late = await house.connected(Identity(user="8", session="s8"))
            await late.subscribe("log:1")
            await late.subscribe("tail:2")
            assert house.node.state.connected
            operator.config_set("maxmemory", 0)
        for _ in "ab":
            await house.node.publish_tail("tail:1", b"2", key="b")
        found = [await client.assert_push("tail:1") for _ in "ab"]
        assert [(p["offset"], p["data"]) for p in found] == [(1, 1), (2, 2)]
        await client.assert_no_push("tail:1")


async def test_unsubscribing_while_a_recovery_is_read_ends_in_neither_half() -> None:
    """Subscribe, leave and come back in one breath, while the log is slow: answered in order."""

    class Slow(MemoryLog):
        async def read(self, channel: str, after: int, limit: int) -> list[Publication]:
            await asyncio.sleep(0.01)
            return await super().read(channel, after, limit)

    log = Slow()
    for number in range(400):
        log.commit("log:1", number)
    async with Kit([LOG], log=log) as house:
        client = await house.connected(LEARNER)
        place = {"channel": "log:1", "recover": True, "offset": 200, "epoch": "log1"}
        commands = [{"id": n, "subscribe": place} for n in (11, 13, 15)]
        commands[1:1] = [{"id": 12, "unsubscribe": {"channel": "log:1"}}]
        commands[3:3] = [{"id": 14, "unsubscribe": {"channel": "log:1"}}]
        client.send("\n".join(map(json.dumps, commands)))
        await client._find(lambda f: f.get("id") == 15, "reply")
        answered = [f["id"] for f in client.transport.frames if "id" in f]
        assert answered == [11, 12, 13, 14]
        await house.node.publish_log("log:1", log.commit("log:1", "live"))
        assert (await client.assert_push("log:1"))["data"] == "live"
        await client.assert_no_push("log:1")
        assert client.connection.memberships == {"log:1"}


async def test_whoever_serves_without_a_connection_hears_of_the_end() -> None:
    """Of this session and this user, while it watches; afterwards nothing is kept of it."""
    async with Kit([LOG]) as house:
        identities, hub = house.node.identities, house.node._hub
        with identities.watch(LEARNER) as ended, identities.watch(LEARNER) as ended_too:
            await house.node.disconnect_user("8")
            assert not ended.is_set()
            await house.node.disconnect_session("s7")
            assert ended.is_set()
            assert ended_too.is_set()
        assert hub._watches == {}
