"""Two releases on one Redis: what another one says in another form is never lost unnoticed."""

import logging
import secrets
from collections.abc import AsyncIterator, Sequence

import pytest
from redis.asyncio import Redis

from realtime import Identity, Limits, Snapshot
from realtime.broker_redis import RedisBroker, RedisOptions
from realtime.broker_redis.payload import AGAIN_S, FORM, Foreign
from realtime.model import Hooks
from realtime.testing import Kit, ManualClock, MemoryLog
from tests.realtime.families import LOG, NO_PINGS, VALUE, shelf, with_snapshot
from tests.realtime.pairs import Ear, message
from tests.realtime.waiting import until
from tests.support.redis_server import RedisServer

NEVER_BY_ITSELF = Limits(
    ping_interval_s=NO_PINGS, sweep_interval_s=3600, revalidate_interval_s=3600
)
NEWER = b"2{of a release that is not written yet}"


@pytest.fixture
async def redis(shared_redis: RedisServer) -> AsyncIterator["Redis[bytes]"]:
    """The newer process: it says what it likes."""
    async with Redis.from_url(shared_redis.url, protocol=2) as client:
        yield client


@pytest.fixture
def options() -> RedisOptions:
    return RedisOptions(prefix=secrets.token_hex(4))


async def test_every_payload_names_its_form(
    shared_redis: RedisServer, redis: "Redis[bytes]", options: RedisOptions
) -> None:
    """Publications, once or by a script, and orders to all or to one process."""
    broker = RedisBroker(shared_redis.url, options)
    await broker.start(Ear(), "one")
    async with redis.pubsub() as ear:
        await ear.psubscribe(f"{options.prefix}.*")
        assert (await ear.get_message(timeout=5))["type"] == "psubscribe"
        await broker.publish("t:1", message(1))
        await broker.publish("t:1", message(1), key="k")
        await broker.append("t:1", b"1")
        await broker.control(b"{}")
        await broker.order("one", b"{}")
        said = [await ear.get_message(timeout=5) for _ in range(5)]
    await broker.stop()
    assert [one["data"][:1] for one in said] == [FORM] * 5


@pytest.mark.parametrize("place", ["c.{t:1}", "control.", "node.{one}"])
async def test_another_form_is_skipped_aloud(
    shared_redis: RedisServer,
    redis: "Redis[bytes]",
    options: RedisOptions,
    caplog: pytest.LogCaptureFixture,
    place: str,
) -> None:
    """Nobody guesses what it means; it counts as missed, and what is readable flows on."""
    broker, ear = RedisBroker(shared_redis.url, options), Ear()
    await broker.start(ear, "one")
    await broker.subscribe("t:1")
    before = ear.restored
    with caplog.at_level(logging.ERROR, logger="realtime"):
        for _ in range(3):
            assert await redis.publish(f"{options.prefix}.{place}", NEWER) == 1
        await broker.publish("t:1", message(1))
        await until(lambda: bool(ear.messages))
    await broker.stop()
    assert [m for _, m in ear.messages] == [message(1)]
    assert not ear.controls
    assert ear.restored == before + 1
    [line] = [r.getMessage() for r in caplog.records]
    assert "realtime.foreign_payload form=b'2' ours=b'1'" in line


def test_many_of_them_are_one_reason_to_compare() -> None:
    """A comparison reads the database: at most one in two seconds."""
    clock, missed = ManualClock(), []
    foreign = Foreign(lambda: missed.append(1), clock)
    for _ in range(100):
        foreign.take(b"c", NEWER)
    assert len(missed) == 1
    clock.advance(AGAIN_S)
    foreign.take(b"c", NEWER)
    assert len(missed) == 2


async def test_an_older_process_serves_on_beside_a_newer_one(
    shared_redis: RedisServer, redis: "Redis[bytes]", options: RedisOptions
) -> None:
    """LOG channels read the log, values their truth, and a logout there ends sockets here."""
    log, gone = MemoryLog(), set[str]()

    async def still_valid(connected: Sequence[Identity]) -> set[str]:
        return {one.session for one in connected} - gone

    counters = shelf(Snapshot(b"1", version=1), Snapshot(b"2", version=2))
    kit = Kit(
        [LOG, with_snapshot(VALUE, counters)],
        log=log,
        broker=RedisBroker(shared_redis.url, options),
        limits=NEVER_BY_ITSELF,
        hooks=Hooks(still_valid=still_valid),
    )
    async with kit:
        client = await kit.connected(Identity(user="7", session="s7"))
        other = await kit.connected(Identity(user="8", session="s8"))
        await client.subscribe("log:1")
        await client.subscribe("value:1")
        log.commit("log:1", "by the newer process")
        gone.add("s8")
        assert await redis.publish(f"{options.prefix}.control.", NEWER) == 1
        assert (await client.assert_push("log:1"))["offset"] == 1
        assert (await client.assert_push("value:1"))["data"] == 2
        assert (await other.assert_closed())[0] == 3503
