"""One specification of the broker contract, run against the memory and the Redis broker."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from realtime import BrokerUnavailable, MemoryBroker, MemoryBus, Publication
from realtime.broker import Broker, Kind, Message
from realtime.broker_redis import RedisBroker, RedisOptions
from tests.realtime.waiting import until
from tests.support.redis_server import RedisServer


class Ear:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Message]] = []
        self.controls: list[bytes] = []
        self.restored = 0

    def on_message(self, channel: str, message: Message) -> None:
        self.messages.append((channel, message))

    def on_control(self, data: bytes) -> None:
        self.controls.append(data)

    def on_restored(self) -> None:
        self.restored += 1


Pair = tuple[Broker, Ear, Broker, Ear]
Make = Callable[[], Awaitable[Pair]]


@pytest.fixture(params=["memory", "redis"])
async def two(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """Two brokers of one house."""
    one: Broker
    other: Broker
    if request.param == "memory":
        bus = MemoryBus(stream_size=20)
        one, other = MemoryBroker(bus), MemoryBroker(bus)
    else:
        server: RedisServer = request.getfixturevalue("shared_redis")
        options = RedisOptions(prefix=secrets.token_hex(4), stream_size=20)
        one, other = RedisBroker(server.url, options), RedisBroker(server.url, options)
    ears = Ear(), Ear()
    await one.start(ears[0])
    await other.start(ears[1])
    yield one, ears[0], other, ears[1]
    await one.stop()
    await other.stop()


def message(number: int, version: int = 0) -> Message:
    return Message.of(Publication(b'{"n":%d}' % number, number, version))


async def test_a_publication_reaches_every_process_that_wants_the_channel(two: Pair) -> None:
    """Both processes hear it, the publisher too, with offset, version and bytes intact."""
    one, ear, other, other_ear = two
    assert await one.subscribe("q:1")
    assert await other.subscribe("q:1")
    await one.publish("q:1", message(7, version=3))
    await until(lambda: bool(ear.messages and other_ear.messages))
    assert ear.messages == other_ear.messages == [("q:1", message(7, version=3))]


async def test_order_is_kept(two: Pair) -> None:
    """What one publisher sends is heard in that order."""
    one, _, other, ear = two
    await other.subscribe("q:1")
    for number in range(1, 101):
        await one.publish("q:1", message(number))
    await until(lambda: len(ear.messages) == 100)
    assert [m.publication.offset for _, m in ear.messages] == list(range(1, 101))


async def test_an_unwanted_channel_is_silent(two: Pair) -> None:
    """After unsubscribe nothing of the channel arrives; subscribing again opens it again."""
    one, _, other, ear = two
    await other.subscribe("q:1")
    await other.unsubscribe("q:1")
    await other.subscribe("q:2")
    await one.publish("q:1", message(1))
    await one.publish("q:2", message(2))
    await until(lambda: bool(ear.messages))
    assert [c for c, _ in ear.messages] == ["q:2"]
    assert await other.subscribe("q:1")
    await one.publish("q:1", message(3))
    await until(lambda: len(ear.messages) == 2)


async def test_join_and_leave_travel_as_what_they_are(two: Pair) -> None:
    """The kind of a message survives the way."""
    one, _, other, ear = two
    await other.subscribe("q:1")
    await one.publish("q:1", Message(Kind.JOIN, Publication(b'{"user":"a:b"}')))
    await one.publish("q:1", Message(Kind.LEAVE, Publication(b"{}")))
    await until(lambda: len(ear.messages) == 2)
    assert [(m.kind, m.publication.data) for _, m in ear.messages] == [
        (Kind.JOIN, b'{"user":"a:b"}'),
        (Kind.LEAVE, b"{}"),
    ]


async def test_append_numbers_without_gap_and_delivers_with_the_epoch(two: Pair) -> None:
    """An append is one step: its offset, its place in the history, its delivery."""
    one, _, other, ear = two
    await other.subscribe("t:1")
    places = [await one.append("t:1", b'"%d"' % n) for n in range(3)]
    epoch = places[0][1]
    assert places == [(1, epoch), (2, epoch), (3, epoch)]
    await until(lambda: len(ear.messages) == 3)
    assert [(m.publication.offset, m.epoch) for _, m in ear.messages] == places
    history = await other.history("t:1", 1, 10)
    assert [(p.offset, p.data) for p in history.publications] == [(2, b'"1"'), (3, b'"2"')]
    assert (history.offset, history.epoch) == (3, epoch)


async def test_history_is_limited_and_starts_an_epoch(two: Pair) -> None:
    """Reading an empty stream fixes its epoch, so that a later append continues it."""
    one, _, _, _ = two
    empty = await one.history("t:2", 0, 10)
    assert (empty.publications, empty.offset) == ([], 0)
    for _ in range(3):
        assert (await one.append("t:2", b"1"))[1] == empty.epoch
    assert [p.offset for p in (await one.history("t:2", 0, 2)).publications] == [1, 2]


async def test_a_stream_is_bounded(two: Pair) -> None:
    """The oldest publications go first."""
    one, _, _, _ = two
    for _ in range(25):
        await one.append("t:3", b"1")
    history = await one.history("t:3", 0, 100)
    assert [p.offset for p in history.publications] == list(range(6, 26))


async def test_a_dropped_stream_keeps_its_place(two: Pair) -> None:
    """After drop the publications are gone; offset and epoch go on."""
    one, _, _, _ = two
    _, epoch = await one.append("t:4", b"1")
    await one.drop("t:4")
    history = await one.history("t:4", 0, 10)
    assert (history.publications, history.offset, history.epoch) == ([], 1, epoch)
    assert await one.append("t:4", b"1") == (2, epoch)


async def test_control_reaches_every_process(two: Pair) -> None:
    """An order needs no subscription."""
    one, ear, _, other_ear = two
    await one.control(b'{"user":"7"}')
    await until(lambda: bool(ear.controls and other_ear.controls))
    assert ear.controls == other_ear.controls == [b'{"user":"7"}']


async def test_presence_is_a_lease(two: Pair) -> None:
    """A lease ends by being given back or by not being renewed."""
    one, _, other, _ = two
    await one.presence_put("q:1", "a", b"1", 60)
    await other.presence_put("q:1", "b", b"2", 60)
    await other.presence_put("q:1", "c", b"3", 0.01)
    await one.presence_put("q:1", "b", b"22", 60)

    async def lease_has_ended() -> bool:
        return len(await one.presence("q:1")) == 2

    await until(lease_has_ended)
    assert await one.presence("q:1") == {"a": b"1", "b": b"22"}
    await one.presence_remove("q:1", "a")
    await one.presence_remove("q:1", "never there")
    assert await other.presence("q:1") == {"b": b"22"}
    assert await other.presence("q:none") == {}


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
    await broker._redis.publish(f"{options.prefix}.c.{{q:1}}", b"nonsense")
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
    take = broker._link._take

    def count(response: list[object]) -> None:
        nonlocal pongs
        pongs += response[0] == b"pong"
        take(response)

    broker._link._take = count  # type: ignore[method-assign]
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
    await until(lambda: len(broker._link._waiters.get(b"rt.c.{q:1}", [])) == 2)
    given_up.cancel()
    redis_server.kill()
    assert not await waiting
    await broker.stop()
