"""One specification of the broker contract, run against the memory and the Redis broker."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from realtime import MemoryBroker, MemoryBus, Publication
from realtime.broker import Keep, Kind, Message
from realtime.broker_redis import RedisBroker, RedisOptions
from tests.realtime.pairs import Pair, message, started
from tests.realtime.waiting import until
from tests.support.redis_tls import tls_front, tls_fronts


@asynccontextmanager
async def address(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """Where the Redis of this kind listens."""
    if request.param == "tls":
        async with tls_front(request.getfixturevalue("shared_redis")) as url:
            yield url
    elif request.param == "tls cluster":
        async with tls_fronts(request.getfixturevalue("shared_tls_cluster")) as url:
            yield url
    else:
        name = "shared_cluster" if request.param == "cluster" else "shared_redis"
        yield request.getfixturevalue(name).url


@pytest.fixture(params=["memory", "redis", "cluster", "tls", "tls cluster"])
async def two(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """Two brokers of one house, called `one` and `other`."""
    if request.param == "memory":
        bus = MemoryBus(stream_size=20)
        async with started(MemoryBroker(bus), MemoryBroker(bus)) as pair:
            yield pair
    else:
        options = RedisOptions(prefix=secrets.token_hex(4), stream_size=20)
        async with (
            address(request) as url,
            started(RedisBroker(url, options), RedisBroker(url, options)) as pair,
        ):
            yield pair


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
    await one.presence_put("q:1", {"a": b"1"}, 60)
    await other.presence_put("q:1", {"b": b"2"}, 60)
    await other.presence_put("q:1", {"c": b"3"}, 0.01)
    await one.presence_put("q:1", {"b": b"22"}, 60)

    async def lease_has_ended() -> bool:
        return len(await one.presence("q:1")) == 2

    await until(lease_has_ended)
    assert await one.presence("q:1") == {"a": b"1", "b": b"22"}
    await one.presence_remove("q:1", "a")
    await one.presence_remove("q:1", "never there")
    assert await other.presence("q:1") == {"b": b"22"}
    assert await other.presence("q:none") == {}


async def test_an_order_reaches_one_process(two: Pair) -> None:
    """And the sender learns when there is none of that name."""
    one, ear, _, other_ear = two
    assert await one.order("other", b"1")
    assert not await one.order("nobody", b"2")
    assert await one.order("one", b"3")
    await until(lambda: bool(ear.controls and other_ear.controls))
    assert (ear.controls, other_ear.controls) == ([b"3"], [b"1"])


async def test_a_key_publishes_once(two: Pair) -> None:
    """A repeated append returns the first one's place and is heard once; so is a publish."""
    one, _, other, ear = two
    await other.subscribe("t:1")
    first = await one.append("t:1", b"1", key="k")
    assert await other.append("t:1", b"other text", key="k") == first
    assert (await one.append("t:1", b"2", key="k2"))[0] == 2
    assert (await one.append("t:1", b"3"))[0] == 3
    await one.publish("t:1", message(8), key="p")
    await one.publish("t:1", message(9), key="p")
    await one.publish("t:1", message(10), key="q")
    await until(lambda: len(ear.messages) == 5)
    assert [m.publication.offset for _, m in ear.messages] == [1, 2, 3, 8, 10]


async def test_a_key_belongs_to_its_channel(two: Pair) -> None:
    """The same key on another channel is another publication."""
    one, _, _, _ = two
    await one.append("t:1", b"1", key="k")
    assert (await one.append("t:2", b"1", key="k"))[0] == 1
    assert len((await one.history("t:2", 0, 10)).publications) == 1


async def test_appends_of_many_callers_are_atomic(two: Pair) -> None:
    """However they interleave: each offset once, delivery in that order, history the same."""
    one, _, other, ear = two
    await other.subscribe("t:1")
    brokers = [one, other] * 10
    places = await asyncio.gather(
        *(broker.append("t:1", b"%d" % n) for n, broker in enumerate(brokers))
    )
    assert sorted(offset for offset, _ in places) == list(range(1, 21))
    await until(lambda: len(ear.messages) == 20)
    heard = [m.publication for _, m in ear.messages]
    assert [p.offset for p in heard] == list(range(1, 21))
    assert (await one.history("t:1", 0, 20)).publications == heard


async def test_who_published_travels_along(two: Pair) -> None:
    """With the live publication and in the history, whatever bytes it has."""
    one, _, other, ear = two
    await other.subscribe("t:1")
    await one.append("t:1", b'"a:b"', info=b'{"user":"7:8"}')
    await until(lambda: bool(ear.messages))
    found = (await one.history("t:1", 0, 1)).publications
    assert (
        found
        == [ear.messages[0][1].publication]
        == [Publication(b'"a:b"', 1, info=b'{"user":"7:8"}')]
    )


async def test_a_family_may_keep_less(two: Pair) -> None:
    """Size and lifetime of a stream can be said with the append; the place survives."""
    one, _, _, _ = two
    for _ in range(5):
        await one.append("t:1", b"1", keep=Keep(size=2, ttl_s=1))
    assert [p.offset for p in (await one.history("t:1", 0, 9)).publications] == [4, 5]

    async def has_ended() -> bool:
        return not (await one.history("t:1", 0, 9)).publications

    await until(has_ended)
    assert (await one.history("t:1", 0, 9)).offset == 5


async def test_a_parked_lease_is_claimed_once(two: Pair) -> None:
    """Whoever comes back takes it over; who parked it hears that nobody left."""
    one, _, other, _ = two
    await one.presence_put("q:1", {"a": b"1"}, 60)
    await one.presence_park("q:1", "a", "7", 60)
    assert not await other.presence_claim("q:1", "8")
    assert await other.presence_claim("q:1", "7")
    assert not await other.presence_claim("q:1", "7")
    assert await one.presence("q:1") == {}
    assert not await one.presence_unpark("q:1", "a", "7")


async def test_a_parked_lease_ends(two: Pair) -> None:
    """Nobody came back: exactly one process tells that the client left."""
    one, _, other, _ = two
    for client in ("a", "b"):
        await one.presence_put("q:1", {client: b"1"}, 60)
        await one.presence_park("q:1", client, "7", 60)
    assert await one.presence_unpark("q:1", "a", "7")
    assert not await one.presence_unpark("q:1", "a", "7")
    assert await other.presence("q:1") == {"b": b"1"}
    assert await other.presence_claim("q:1", "7")
    await one.presence_park("q:1", "c", "7", 0.01)
    over = time.monotonic() + 0.05
    await until(lambda: time.monotonic() > over)
    assert not await other.presence_claim("q:1", "7")
