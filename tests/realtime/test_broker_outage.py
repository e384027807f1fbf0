"""A Redis that is away, silent or talks nonsense, as the broker's links live through it."""

import asyncio
import secrets
import time

import pytest

from realtime import BrokerUnavailable
from realtime.broker_redis import RedisBroker, RedisOptions
from realtime.broker_redis.layout import OneServer
from realtime.broker_redis.link import Link
from realtime.broker_redis.shard import Shard
from tests.realtime.pairs import Ear, message
from tests.realtime.waiting import until
from tests.support.proxy import Proxy, Toxics
from tests.support.redis_server import LOOPBACK, RedisServer


def link_of(broker: RedisBroker) -> Link:
    """The subscribing connection of a broker over one server."""
    layout = broker._layout
    assert isinstance(layout, OneServer)
    return layout.shard.link


async def test_an_outage_fails_at_once_and_is_repaired(redis_server: RedisServer) -> None:
    """While Redis is away every verb says so; then the channels flow again."""
    broker, ear = RedisBroker(redis_server.url), Ear()
    await broker.start(ear)
    assert await broker.subscribe("q:1")
    assert (broker.state.connected, ear.restored) == (True, 1)
    redis_server.kill()
    await until(lambda: not broker.state.connected)
    assert broker.state.last_error
    with pytest.raises(BrokerUnavailable):
        await broker.publish("q:1", message(1))
    assert not await broker.subscribe("q:2")
    await broker.unsubscribe("q:3")
    redis_server.start()
    await until(lambda: ear.restored == 2)
    await broker.publish("q:1", message(1))
    await broker.publish("q:2", message(2))
    await until(lambda: len(ear.messages) == 2)
    assert (await broker.append("t:1", b"1"))[0] == 1
    await broker.stop()


async def test_an_absent_redis_is_waited_for(redis_server: RedisServer) -> None:
    """A process starts without Redis and finds it later."""
    redis_server.kill()
    broker, ear = RedisBroker(redis_server.url, RedisOptions(timeout_s=0.05)), Ear()
    await broker.start(ear)
    assert not broker.state.connected
    assert not await broker.subscribe("q:1")
    redis_server.start()
    await until(lambda: broker.state.connected)
    await broker.publish("q:1", message(1))
    await until(lambda: bool(ear.messages))
    await broker.stop()


async def test_a_silent_link_is_found_out(redis_server: RedisServer) -> None:
    """A Redis that keeps its connections but answers nothing counts as away."""
    options = RedisOptions(timeout_s=0.2, silence_s=0.1)
    broker, ear = RedisBroker(redis_server.url, options), Ear()
    await broker.start(ear)
    redis_server.freeze()
    assert not await broker.subscribe("q:1")
    with pytest.raises(BrokerUnavailable):
        await broker.publish("q:1", message(1))
    await until(lambda: "silent" in broker.state.last_error)
    redis_server.thaw()
    await until(lambda: broker.state.connected)
    await broker.publish("q:1", message(2))
    await until(lambda: any(m.publication.offset == 2 for _, m in ear.messages))
    await broker.stop()


async def test_a_message_nobody_understands_is_survived(shared_redis: RedisServer) -> None:
    """Foreign bytes on a channel are logged, the link lives on."""
    options = RedisOptions(prefix=secrets.token_hex(4))
    broker, ear = RedisBroker(shared_redis.url, options), Ear()
    await broker.start(ear)
    await broker.subscribe("q:1")
    await broker._say(f"{options.prefix}.c.{{q:1}}", b"nonsense")
    await broker.publish("q:1", message(1))
    await until(lambda: bool(ear.messages))
    assert ear.messages == [("q:1", message(1))]
    await broker.stop()


async def test_stop_without_start_is_quiet(shared_redis: RedisServer) -> None:
    """A broker that never began can be ended."""
    await RedisBroker(shared_redis.url).stop()


async def test_a_quiet_link_stays(redis_server: RedisServer) -> None:
    """Silence is answered with a ping, and the pong is enough."""
    broker, ear = RedisBroker(redis_server.url, RedisOptions(silence_s=0.01)), Ear()
    await broker.start(ear)
    pongs = 0
    feed = link_of(broker)._live
    assert feed is not None
    take = feed._take

    def count(response: list[object]) -> None:
        nonlocal pongs
        pongs += response[0] == b"pong"
        take(response)

    feed._take = count  # type: ignore[method-assign]
    await until(lambda: pongs > 3)
    assert (broker.state.connected, ear.restored) == (True, 1)
    await broker.stop()


async def test_a_subscribe_that_is_cut_off_is_not_confirmed(redis_server: RedisServer) -> None:
    """Who waits for a confirmation learns that the link has gone, also when it gave up."""
    broker = RedisBroker(redis_server.url, RedisOptions(timeout_s=0.3))
    await broker.start(Ear())
    redis_server.freeze()
    given_up = asyncio.create_task(broker.subscribe("q:1"))
    waiting = asyncio.create_task(broker.subscribe("q:1"))
    await until(lambda: len(link_of(broker)._waiters.get(b"rt.c.{q:1}", [])) == 2)
    given_up.cancel()
    redis_server.kill()
    assert not await waiting
    await broker.stop()


async def test_a_redis_that_is_too_slow_counts_as_away(redis_server: RedisServer) -> None:
    """The link is up, no command is answered in time: said, refused at once, and found again."""
    path = str(redis_server.path)
    async with Proxy(lambda: asyncio.open_unix_connection(path)) as line:
        options = RedisOptions(timeout_s=0.2, retry_max_s=0.1)
        broker, ear = RedisBroker(f"redis://{LOOPBACK}:{line.port}", options), Ear()
        await broker.start(ear)
        assert await broker.subscribe("q:1")
        line.toxics = Toxics(latency_s=0.3)
        for number in range(options.failures_max):
            assert broker.state.connected
            with pytest.raises(BrokerUnavailable):
                await broker.publish("q:1", message(number))
        assert not broker.state.connected
        assert "Timeout" in broker.state.last_error
        refusing = time.monotonic()
        for _ in range(100):
            with pytest.raises(BrokerUnavailable, match="Timeout"):
                await broker.publish("q:1", message(1))
        assert time.monotonic() - refusing < options.timeout_s
        assert ear.restored == 1
        line.toxics = Toxics()
        await until(lambda: broker.state.connected)
        assert ear.restored == 2
        await broker.publish("q:1", message(7))
        await until(lambda: bool(ear.messages))
        line.toxics = Toxics(latency_s=0.3)
        for _ in range(options.failures_max):
            with pytest.raises(BrokerUnavailable):
                await broker.publish("q:1", message(1))
        await broker.stop()


async def test_an_answer_without_a_link_is_half_a_redis(shared_redis: RedisServer) -> None:
    """Commands are answered again, but nothing would be heard: away until both work."""
    shard, flows = Shard(shared_redis.url, RedisOptions(retry_max_s=0.01)), asyncio.Event()
    shard._restored = flows.set
    for _ in range(3):
        shard._note(TimeoutError("slow"))
    asked = 0

    async def counted(*command: str) -> None:
        nonlocal asked
        asked += 1
        await Shard.ask(shard, *command)

    shard.ask = counted  # type: ignore[method-assign]
    await until(lambda: asked > 1)
    assert not flows.is_set()
    assert shard.last_error == "TimeoutError: slow"
    shard.link.connected = True
    await until(flows.is_set)
    assert shard.connected
    await shard.stop()


async def test_only_the_last_of_several_answers_counts(shared_redis: RedisServer) -> None:
    """A channel that is left and wanted twice in one breath; whoever waited may have gone."""
    link = Shard(shared_redis.url, RedisOptions()).link
    gone = asyncio.get_running_loop().create_future()
    gone.cancel()
    link._waiters[b"q"] = [gone]
    link._unacked[b"q"] = link._leaving[b"q"] = 2
    link._confirm(b"q")
    link._left(b"q")
    assert (link._unacked[b"q"], link._leaving[b"q"], link.connected) == (1, 1, False)
    link._restored = lambda: None
    link._confirm(b"q")
    link._left(b"q")
    assert (b"q" in link._unacked, b"q" in link._leaving, link.connected) == (False, False, True)
