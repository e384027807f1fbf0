"""Rate limits counted in Redis: exact over all processes, for a script is one step and its clock
is the server's.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any, TypeVar

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.infra.ratelimit import DOUBLINGS_MAX, Charge, Rate, Refused, Rule
from app.kit.tasks import end_task

T = TypeVar("T")

FAULTS = (RedisError, OSError, TimeoutError)
TIMEOUT_S = 0.5
"""For a connection and for an answer: a login shall not wait longer for a counter."""
MAX_CONNECTIONS = 16
PARTS = 10
"""Of a timeout; see `_answered`."""
MICRO = 1_000_000

CHARGE = f"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local writes = {{}}
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 5
  local kind, a, b = ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local c, d = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  if kind == 'rate' then
    local full_at = math.max(tonumber(redis.call('GET', key) or now), now) + a
    local wait = full_at - b - now
    if wait > 0 then return {{i, wait}} end
    local kept_ms = math.max(1, math.ceil((full_at - now) / 1000))
    writes[i] = {{string.format('%.0f', full_at), kept_ms}}
  else
    local known = redis.call('HMGET', key, 'attempts', 'next_at')
    local attempts, next_at = tonumber(known[1] or 0) + 1, tonumber(known[2] or 0)
    if next_at > now then return {{i, next_at - now}} end
    local wait = 0
    if attempts >= a then wait = math.min(c, b * 2 ^ math.min(attempts - a, {DOUBLINGS_MAX})) end
    writes[i] = {{string.format('%.0f', now + wait), math.ceil(d / 1000), attempts}}
  end
end
for i, write in ipairs(writes) do
  if write[3] then
    redis.call('HSET', KEYS[i], 'attempts', write[3], 'next_at', write[1])
    redis.call('PEXPIRE', KEYS[i], write[2])
  else
    redis.call('SET', KEYS[i], write[1], 'PX', write[2])
  end
end
return {{0, 0}}
"""
"""ARGV has five values a key: `rate, interval, period, 0, 0` or `backoff, limit, first, longest,
forgotten after`; times are microseconds. Answers the number of the refusing key and its wait."""

GIVE_BACK = """
local full_at, kept_ms = redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])
if full_at and kept_ms > 0 then
  redis.call('SET', KEYS[1], string.format('%.0f', full_at - ARGV[1]), 'PX', kept_ms)
end
"""


class RedisCounters:
    """`Counters` over one Redis; every verb may raise one of FAULTS.

    A process that is late itself has not lost Redis: a crowd at the door waits for a connection as
    long as it takes, and a stall of the process is no timeout. As soon as one question is lost, so
    are all that came before and still wait.
    """

    def __init__(self, url: str, *, prefix: str, timeout_s: float = TIMEOUT_S) -> None:
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)
        self._lost_at = 0.0
        self._pool = ConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            socket_timeout=None,  # `_answer` has the only clock
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._redis = Redis(connection_pool=self._pool)
        self._charge = self._redis.register_script(CHARGE)
        self._give_back = self._redis.register_script(GIVE_BACK)

    async def charge(self, charges: tuple[Charge, ...]) -> Refused | None:
        """See `Counters`."""
        keys = [self._key(rule, subject) for rule, subject in charges]
        args = [part for rule, _ in charges for part in _arguments(rule)]
        number, wait_us = await self._answer(lambda: self._charge(keys=keys, args=args))
        return Refused(charges[number - 1][0], wait_us / MICRO) if number else None

    async def give_back(self, rule: Rate, subject: str) -> None:
        """See `Counters`."""
        key, interval_us = self._key(rule, subject), int(rule.interval_s * MICRO)
        await self._answer(lambda: self._give_back(keys=[key], args=[interval_us]))

    async def forget(self, rule: Rule, subject: str) -> None:
        """See `Counters`."""
        await self._answer(lambda: self._redis.delete(self._key(rule, subject)))

    async def close(self) -> None:
        """See `Counters`."""
        await self._redis.aclose()
        await self._pool.disconnect()

    async def _answer(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What Redis says, when it is this question's turn. Raises one of FAULTS."""
        came_at = time.monotonic()
        async with self._turns:
            if self._lost_at >= came_at:
                raise ConnectionError("Redis was lost by whoever asked before")
            try:
                return await _answered(ask(), self._timeout_s)
            except FAULTS:
                self._lost_at = time.monotonic()
                raise

    def _key(self, rule: Rule, subject: str) -> str:
        """Rules that are charged together share the first word of their names, and so a shard."""
        return f"{self._prefix}limit.{{{rule.name.partition('-')[0]}}}.{rule.name}.{subject}"


async def _answered(asking: Awaitable[T], timeout_s: float) -> T:
    """The answer, if it comes in time. Raises TimeoutError.

    `asyncio.timeout` would throw away one that arrived while the process was busy: here a part of
    the time that passes without the process counts as one part, however long it was.
    """
    task = asyncio.ensure_future(asking)
    try:
        for _ in range(PARTS):
            await asyncio.wait({task}, timeout=timeout_s / PARTS)
            if task.done():
                return task.result()
        raise TimeoutError
    finally:
        await end_task(task)


def _arguments(rule: Rule) -> list[Any]:
    if isinstance(rule, Rate):
        # Rounded down: the last of a burst must not be short of a microsecond.
        return ["rate", int(rule.interval_s * MICRO), _us(rule.period_s), 0, 0]
    times = (rule.first_s, rule.longest_s, rule.period_s)
    return ["backoff", rule.limit, *(_us(time_s) for time_s in times)]


def _us(seconds: float) -> int:
    return ceil(seconds * MICRO)
