"""Rate limits: the same rules in one process and in Redis, exact, and safe without it."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from app.infra.ratelimit import (
    MAX_KEYS,
    Backoff,
    Counters,
    LocalCounters,
    Rate,
    RateLimiter,
    network_of,
)
from app.infra.ratelimit_redis import FAULTS, RedisCounters
from app.kit.errors import TooManyRequests
from tests.support.redis_server import RedisServer

PATIENT_S = 10.0
"""Counting is what is tried; how soon one gives up on Redis has its own tests."""
TEN = Rate("test-ten", 10, 3600.0)
SLOWING = Backoff("test-slowing", 3, 60.0, 200.0, 3600.0)


@pytest.fixture(params=["local", "redis"])
async def counters(
    request: pytest.FixtureRequest, redis_server_url: str
) -> AsyncIterator[Counters]:
    """Either kind, with nothing counted yet."""
    made: Counters = LocalCounters()
    if request.param == "redis":
        made = RedisCounters(redis_server_url, prefix=f"t{uuid4().hex}:")
    yield made
    await made.close()


async def test_a_burst_and_no_more(counters: Counters) -> None:
    """Ten at once, and the eleventh waits for a tenth of the hour."""
    assert [await counters.charge(((TEN, "a"),)) for _ in range(10)] == [None] * 10
    refused = await counters.charge(((TEN, "a"),))
    assert refused is not None
    assert 350 < refused.wait_s <= 360.0
    assert await counters.charge(((TEN, "b"),)) is None


async def test_exact_under_concurrency(counters: Counters) -> None:
    """Of a hundred at once exactly ten pass."""
    answers = await asyncio.gather(*(counters.charge(((TEN, "c"),)) for _ in range(100)))
    assert answers.count(None) == 10


async def test_it_refills_with_time(counters: Counters) -> None:
    """After the wait that was named the next passes."""
    rule = Rate("test-quick", 1, 0.2)
    assert await counters.charge(((rule, "a"),)) is None
    assert await counters.charge(((rule, "a"),)) is not None
    async with asyncio.timeout(5):
        while (refused := await counters.charge(((rule, "a"),))) is not None:  # noqa: ASYNC110
            await asyncio.sleep(refused.wait_s)


async def test_each_further_attempt_waits_longer(counters: Counters) -> None:
    """The free ones pass, then the wait is the first one, and asking meanwhile changes nothing."""
    assert [await counters.charge(((SLOWING, "a"),)) for _ in range(3)] == [None] * 3
    for _ in range(5):
        refused = await counters.charge(((SLOWING, "a"),))
        assert refused is not None
        assert 50 < refused.wait_s <= 60


async def test_waits_double_up_to_the_longest(counters: Counters) -> None:
    """Each wait is twice the one before, as long as the rule allows."""
    quick = Backoff("test-double", 1, 0.05, 0.1, 60.0)
    waits: list[float] = []
    async with asyncio.timeout(10):
        while len(waits) < 4:
            if await counters.charge(((quick, "a"),)) is None:
                refused = await counters.charge(((quick, "a"),))
                waits.append(refused.wait_s if refused else 0.0)
            await asyncio.sleep(0.005)
    assert waits[0] <= 0.05 < waits[1] <= 0.1
    assert max(waits) <= 0.1


async def test_success_begins_anew(counters: Counters) -> None:
    """Whoever knows the password is not slowed down by those who do not."""
    for _ in range(4):
        await counters.charge(((SLOWING, "a"),))
    await counters.forget(SLOWING, "a")
    assert await counters.charge(((SLOWING, "a"),)) is None


async def test_all_are_charged_or_none(counters: Counters) -> None:
    """A refusing rule leaves the ones before it uncharged, so nobody uses up everybody's share."""
    for _ in range(3):
        await counters.charge(((SLOWING, "a"),))
    for _ in range(20):
        refused = await counters.charge(((TEN, ""), (SLOWING, "a")))
        assert refused is not None
        assert refused.rule == SLOWING
    answers = [await counters.charge(((TEN, ""),)) for _ in range(11)]
    assert answers.count(None) == 10


async def test_a_charge_is_given_back(counters: Counters) -> None:
    """Given back is as if never charged."""
    for _ in range(10):
        await counters.charge(((TEN, "a"),))
    await counters.give_back(TEN, "a")
    assert await counters.charge(((TEN, "a"),)) is None
    assert await counters.charge(((TEN, "a"),)) is not None


async def test_attempts_are_forgotten_after_a_long_pause() -> None:
    """A day without an attempt, and the account is as fresh as ever."""
    at = [0.0]
    counters = LocalCounters(lambda: at[0])
    for _ in range(3):
        counters.try_charge(((SLOWING, "a"),))
    at[0] = 3601.0
    assert [counters.try_charge(((SLOWING, "a"),)) for _ in range(3)] == [None] * 3


async def test_counters_of_one_process_are_bounded() -> None:
    """However many addresses ask, the memory has an end."""
    counters = LocalCounters()
    for number in range(MAX_KEYS + 50):
        counters.try_charge(((TEN, str(number)),))
    assert len(counters._state) == MAX_KEYS


async def test_two_processes_share_one_counter(redis_server_url: str) -> None:
    """Two limiters on one Redis allow together what one would."""
    prefix = f"t{uuid4().hex}:"
    both = [RedisCounters(redis_server_url, prefix=prefix, timeout_s=PATIENT_S) for _ in range(2)]
    answers = await asyncio.gather(*(both[n % 2].charge(((TEN, "a"),)) for n in range(60)))
    assert answers.count(None) == 10
    for one in both:
        await one.close()


async def test_a_late_process_is_not_taken_for_an_absent_redis(redis_server_url: str) -> None:
    """The process itself does nothing for longer than it waits for Redis, while a crowd is at its
    door: everybody is counted for all processes, exactly."""
    counters = RedisCounters(redis_server_url, prefix=f"t{uuid4().hex}:", timeout_s=0.1)
    limiter = RateLimiter(counters, faults=FAULTS)
    loop = asyncio.get_running_loop()
    for part in range(1, 8):
        loop.call_later(part * 0.005, time.sleep, 0.15)
    answers = await asyncio.gather(
        *(limiter.spend((TEN, "d")) for _ in range(400)), return_exceptions=True
    )
    await limiter.close()
    assert answers.count(None) == 10
    assert sum(isinstance(answer, TooManyRequests) for answer in answers) == 390


async def test_without_redis_it_counts_alone_and_more_strictly() -> None:
    """Neither open nor shut: half of the limit, and each subject for itself."""
    with RedisServer() as redis:
        limiter = RateLimiter(RedisCounters(redis.url, prefix="t:"), faults=FAULTS)
        await limiter.spend((TEN, "a"))
        redis.kill()
        for _ in range(5):
            await limiter.spend((TEN, "a"))
        with pytest.raises(TooManyRequests) as refused:
            await limiter.spend((TEN, "a"))
        assert refused.value.extra["policy"] == TEN.name
        await limiter.spend((TEN, "b"))
        await limiter.close()


async def test_a_silent_redis_costs_one_timeout_and_comes_back() -> None:
    """While it hangs nobody waits for it twice; once it answers, it counts again."""
    with RedisServer() as redis:
        shared = RedisCounters(redis.url, prefix="t:")
        limiter = RateLimiter(shared, faults=FAULTS)
        await limiter.spend((TEN, "a"))
        redis.freeze()
        started = time.monotonic()
        for subject in "bcdefghij":
            await limiter.spend((TEN, subject))
        assert time.monotonic() - started < 2.0
        redis.thaw()
        async with asyncio.timeout(10):
            while True:
                await limiter.spend((TEN, uuid4().hex))
                if time.monotonic() >= limiter._away_until:
                    break
                await asyncio.sleep(0.02)
        await limiter.close()


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_networks(address: str, network: str) -> None:
    """An IPv6 customer has 2**64 addresses and is one all the same."""
    assert network_of(address) == network
