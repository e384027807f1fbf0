"""What only a cluster can do to the broker: lose a part of itself, move slots, speak otherwise."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from redis import Redis
from redis.crc import key_slot

from app.infra.embedded.ports import free_ports
from realtime import BrokerUnavailable, Identity
from realtime.broker_redis import RedisBroker, RedisOptions
from realtime.broker_redis.cluster import Cluster
from realtime.broker_redis.options import cluster_address
from realtime.broker_redis.shard import Moved, Shard
from realtime.testing import Kit, MemoryLog
from tests.realtime.families import FAMILIES
from tests.realtime.pairs import Ear, message
from tests.realtime.waiting import until
from tests.support.redis_server import LOOPBACK, RedisCluster, RedisServer

OPTIONS = RedisOptions(timeout_s=1.0, layout_s=0.2, retry_max_s=0.2)


@asynccontextmanager
async def listening(
    url: str, options: RedisOptions = OPTIONS
) -> AsyncIterator[tuple[RedisBroker, Ear]]:
    """A broker with an ear."""
    broker, ear = RedisBroker(url, options), Ear()
    await broker.start(ear, "one")
    try:
        yield broker, ear
    finally:
        await broker.stop()


def channel_on(cluster: RedisCluster, node: RedisServer) -> str:
    """A channel whose keys live on this node."""
    names = (f"t:{number}" for number in range(1000))
    return next(name for name in names if cluster.owner(key_slot(name.encode())) is node)


async def test_a_lost_shard_takes_only_its_channels(redis_cluster: RedisCluster) -> None:
    """The others flow on; the lost ones fail at once and are repaired when it is back."""
    # The first node may own the control channel: any other will do.
    control = redis_cluster.owner(key_slot(b"rt.control."))
    lost, kept = [node for node in redis_cluster.nodes if node is not control]
    here, there = channel_on(redis_cluster, kept), channel_on(redis_cluster, lost)
    async with listening(redis_cluster.url) as (broker, ear):
        for channel in (here, there):
            assert await broker.subscribe(channel)
            await broker.append(channel, b"1")
        await until(lambda: len(ear.messages) == 2)
        before = ear.restored
        lost.kill()
        await until(lambda: not broker.state.connected)
        assert broker.state.last_error
        with pytest.raises(BrokerUnavailable):
            await broker.append(there, b"2")
        assert (await broker.append(here, b"2"))[0] == 2
        await until(lambda: len(ear.messages) == 3)
        lost.start()
        await until(lambda: broker.state.connected)
        assert ear.restored > before

        async def takes_writes() -> bool:
            """A node that was away refuses writes until the others have accepted it."""
            with suppress(BrokerUnavailable):
                return (await broker.append(there, b"1"))[0] == 1
            return False

        await until(takes_writes)
        await until(lambda: len(ear.messages) == 4)


async def test_a_slot_that_moves_is_followed(redis_cluster: RedisCluster) -> None:
    """Commands are sent on to the new owner, subscriptions wander there."""
    old, new, other = redis_cluster.nodes
    channel = channel_on(redis_cluster, old)
    options = RedisOptions(timeout_s=1.0, layout_s=3600, retry_max_s=0.2)
    async with (
        listening(redis_cluster.url, options) as (broker, ear),
        listening(redis_cluster.url, options) as (second, _),
    ):
        assert await broker.subscribe(channel)
        slot = key_slot(channel.encode())
        clients = [Redis(host=LOOPBACK, port=node.port) for node in (new, old, other)]
        name = clients[0].execute_command("CLUSTER", "MYID").decode()
        for client in clients:
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", name)
            client.close()

        async def heard() -> bool:
            """Somebody publishes until it is heard again."""
            await second.publish(channel, message(1))
            return bool(ear.messages)

        await until(heard)
        assert (await broker.append(channel, b"1"))[0] == 1


async def test_a_cluster_that_is_absent_is_waited_for(redis_cluster: RedisCluster) -> None:
    """A process starts without it, keeps what it wants, and finds it later."""
    for node in redis_cluster.nodes:
        node.kill()
    async with listening(redis_cluster.url) as (broker, ear):
        assert not broker.state.connected
        assert not await broker.subscribe("t:1")
        await broker.unsubscribe("t:2")
        with pytest.raises(BrokerUnavailable):
            await broker.publish("t:1", message(1))
        for node in redis_cluster.nodes:
            node.start()
        await until(lambda: broker.state.connected)
        await broker.publish("t:1", message(1))
        await until(lambda: bool(ear.messages))


async def test_one_server_is_no_cluster(redis_server: RedisServer) -> None:
    """A wrong URL shows in the state, and stops cleanly."""
    redis_server.kill()
    (redis_server.port,) = free_ports(1)
    redis_server.start()
    async with listening(f"redis+cluster://127.0.0.1:{redis_server.port}") as (broker, _):
        assert not broker.state.connected
        assert "unavailable" in broker.state.last_error.lower()


async def test_two_processes_on_a_cluster_serve_one_audience(shared_cluster: RedisCluster) -> None:
    """All three classes, presence and revocation, over three shards."""
    log, options = MemoryLog(), RedisOptions(prefix=secrets.token_hex(4))
    one, two = (
        Kit(FAMILIES, log=log, broker=RedisBroker(shared_cluster.url, options)) for _ in range(2)
    )
    async with one, two:
        client = await two.connected(Identity(user="7", session="s7"))
        for channel in ("log:1", "value:1", "tail:1"):
            await client.subscribe(channel)
        await one.node.publish_log("log:1", log.commit("log:1", "a"))
        await one.node.publish_value("value:1", b'"b"', 1)
        await one.node.publish_tail("tail:1", b'"c"')
        for channel, data in (("log:1", "a"), ("value:1", "b"), ("tail:1", "c")):
            assert (await client.assert_push(channel))["data"] == data
        stats = await client.command("presence_stats", channel="log:1")
        assert stats == {"num_clients": 1, "num_users": 1}
        await one.node.disconnect_session("s7")
        assert (await client.assert_closed())[0] == 3503


def cluster_of(broker: RedisBroker) -> Cluster:
    """The map of a broker over a cluster."""
    layout = broker._layout
    assert isinstance(layout, Cluster)
    return layout


async def test_a_node_that_leaves_takes_its_link_along(shared_cluster: RedisCluster) -> None:
    """The map names one owner for everything: the other links end, and come back with the slots."""
    options = RedisOptions(prefix=secrets.token_hex(4), layout_s=3600)
    async with listening(shared_cluster.url, options) as (broker, _):
        cluster = cluster_of(broker)
        for number in range(6):
            await broker.subscribe(f"t:{number}")
        only = next(iter(cluster._shards))
        await cluster._adopt({(0, 16383): only})
        assert list(cluster._shards) == [only]
        await cluster._adopt({(0, 99): only})
        assert broker.state.last_error == "some slots have no owner"
        with pytest.raises(BrokerUnavailable):
            await broker.append(channel_on(shared_cluster, shared_cluster.nodes[2]), b"1")
        await cluster._read_map()
        await until(lambda: broker.state.connected)
        assert len(cluster._shards) == 3


async def test_a_slot_that_never_stays_is_away(shared_cluster: RedisCluster) -> None:
    """Moved, and moved again: the caller hears of it instead of waiting."""
    async with listening(shared_cluster.url) as (broker, _):

        async def moved(_shard: Shard) -> None:
            raise Moved

        with pytest.raises(BrokerUnavailable, match="moving"):
            await cluster_of(broker).on("t:1", moved)


async def test_a_cluster_that_never_began_can_be_ended() -> None:
    """Stop without start is quiet."""
    await RedisBroker("redis+cluster://127.0.0.1:1").stop()


def test_the_url_names_every_seed() -> None:
    """Credentials, TLS and options hold for all nodes; other URLs are no cluster."""
    found = cluster_address("rediss+cluster://me:secret@a:1,b,[::1]:3/?ssl_ca_certs=x")
    assert found is not None
    assert found.servers == [("a", 1), ("b", 6379), ("::1", 3)]
    assert found.url("c", 4) == "rediss://me:secret@c:4/?ssl_ca_certs=x"
    assert found.url("::1", 3) == "rediss://me:secret@[::1]:3/?ssl_ca_certs=x"
    assert cluster_address("redis://a:1/0") is None
    assert cluster_address("unix:///tmp/s") is None
