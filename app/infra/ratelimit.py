"""Rate limits: what a rule is, counters of one process, and the limiter that survives an outage.

Two kinds of rule. `Rate` is GCRA: a burst of `limit`, refilled evenly over `period_s`. `Backoff`
makes each further attempt wait twice as long, and is forgotten after success or a long pause.
Charging is one step for all rules of a call: either each of them is charged, or none.
"""

import ipaddress
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from math import ceil
from typing import Protocol

import structlog
from msgspec import Struct

from app.kit.errors import TooManyRequests

AWAY_S = 1.0
"""After a failure Redis is left alone for so long: an outage costs one timeout a second."""
STRICTER = 2
"""While Redis is away each process counts alone and allows this part of a rule."""
MAX_KEYS = 20_000
"""Counters of one process; beyond, the one that was used longest ago is forgotten (4 MiB)."""
DOUBLINGS_MAX = 40
REMEMBERED_ADDRESSES = 4096
"""Reading an address costs more than counting it."""
IPV6_NETWORK = 64
"""One customer's network: whoever has it has all its addresses (RFC 6177)."""

log = structlog.get_logger(__name__)


class Rate(Struct, frozen=True):
    """At most `limit` at once, and `limit` in every `period_s` in the long run."""

    name: str
    limit: int
    period_s: float

    @property
    def interval_s(self) -> float:
        """The time that one charge takes to come back."""
        return self.period_s / self.limit

    def stricter(self) -> "Rate":
        """The rule of one process while nobody counts for all of them."""
        return Rate(self.name, max(1, self.limit // STRICTER), self.period_s)


class Backoff(Struct, frozen=True):
    """`limit` free attempts, then waits of `first_s`, twice that, and so on up to `longest_s`."""

    name: str
    limit: int
    first_s: float
    longest_s: float
    period_s: float
    """After so long without an attempt everything is forgotten."""

    def wait_s(self, attempts: int) -> float:
        """The wait after this many attempts."""
        if attempts < self.limit:
            return 0.0
        return min(self.longest_s, self.first_s * 2.0 ** min(attempts - self.limit, DOUBLINGS_MAX))

    def stricter(self) -> "Backoff":
        """See `Rate`."""
        return Backoff(
            self.name,
            max(1, self.limit // STRICTER),
            self.first_s,
            self.longest_s,
            self.period_s,
        )


Rule = Rate | Backoff
Pace = Callable[[int], Awaitable[None]]
"""Counts one deed of a person; raises TooManyRequests."""

Charge = tuple[Rule, str]
"""A rule and who or what is counted under it."""


class Refused(Struct, frozen=True):
    """The rule that said no, and when to come back."""

    rule: Rule
    wait_s: float


class Counters(Protocol):
    """Who counts: one process alone, or Redis for all of them."""

    async def charge(self, charges: tuple[Charge, ...]) -> Refused | None:
        """Charge all of them, or none and say which refused first."""
        ...

    async def give_back(self, rule: Rate, subject: str) -> None:
        """Take one charge back."""
        ...

    async def forget(self, rule: Rule, subject: str) -> None:
        """Begin anew."""
        ...

    async def close(self) -> None:
        """Leave no connection."""
        ...


class LocalCounters:
    """The same rules counted in this process; never waits, and is bounded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state: dict[tuple[str, str], tuple[float, float, int]] = {}
        """By rule and subject: when it is forgotten, when the next may come, attempts."""

    def try_charge(self, charges: tuple[Charge, ...]) -> Refused | None:
        """See `Counters.charge`."""
        now = self._clock()
        written: dict[tuple[str, str], tuple[float, float, int]] = {}
        for rule, subject in charges:
            key = (rule.name, subject)
            step = self._rated if isinstance(rule, Rate) else self._delayed
            answer = step(rule, key, now)  # type: ignore[arg-type]  # chosen by the rule's kind
            if isinstance(answer, float):
                return Refused(rule, answer)
            written[key] = answer
        for key, state in written.items():
            self._state.pop(key, None)  # the newest stands last
            if len(self._state) >= MAX_KEYS:
                del self._state[next(iter(self._state))]
            self._state[key] = state
        return None

    async def charge(self, charges: tuple[Charge, ...]) -> Refused | None:
        """See `Counters`."""
        return self.try_charge(charges)

    async def give_back(self, rule: Rate, subject: str) -> None:
        """See `Counters`."""
        key = (rule.name, subject)
        if key in self._state:
            full_at = self._state[key][0] - rule.interval_s
            self._state[key] = (full_at, full_at, 0)

    async def forget(self, rule: Rule, subject: str) -> None:
        """See `Counters`."""
        self._state.pop((rule.name, subject), None)

    async def close(self) -> None:
        """See `Counters`."""

    def _rated(
        self, rule: Rate, key: tuple[str, str], now: float
    ) -> tuple[float, float, int] | float:
        full_at = max(self._state.get(key, (now, 0, 0))[0], now) + rule.interval_s
        wait_s = full_at - rule.period_s - now
        # A refill that is short by rounding alone is no reason to refuse.
        return wait_s if wait_s > rule.interval_s * 1e-6 else (full_at, full_at, 0)

    def _delayed(
        self, rule: Backoff, key: tuple[str, str], now: float
    ) -> tuple[float, float, int] | float:
        forgotten_at, next_at, attempts = self._state.get(key, (now, 0.0, 0))
        if forgotten_at <= now:
            next_at, attempts = 0.0, 0
        if next_at > now:
            return next_at - now
        attempts += 1
        return now + rule.period_s, now + rule.wait_s(attempts), attempts


class RateLimiter:
    """Counts for all processes; while that is impossible, for this one and more strictly."""

    def __init__(
        self,
        shared: Counters,
        *,
        faults: tuple[type[Exception], ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._local = LocalCounters(clock)
        self._faults = faults
        self._clock = clock
        self._away_until = 0.0

    async def spend(self, *charges: Charge) -> None:
        """Charge all rules or none. Raises TooManyRequests, never for an outage."""
        refused = None
        if self._clock() >= self._away_until:
            try:
                refused = await self._shared.charge(charges)
            except self._faults as fault:
                self._lost(fault)
        if self._clock() < self._away_until:
            refused = self._local.try_charge(tuple((r.stricter(), s) for r, s in charges))
        if refused is not None:
            raise too_many(refused)

    async def give_back(self, rule: Rate, subject: str) -> None:
        """Take one charge back, wherever it was counted."""
        await self._local.give_back(rule.stricter(), subject)
        if self._clock() >= self._away_until:
            try:
                await self._shared.give_back(rule, subject)
            except self._faults as fault:
                self._lost(fault)

    async def forget(self, rule: Rule, subject: str) -> None:
        """Begin anew for a subject."""
        await self._local.forget(rule, subject)
        if self._clock() >= self._away_until:
            try:
                await self._shared.forget(rule, subject)
            except self._faults as fault:
                self._lost(fault)

    def pace(self, rule: Rate) -> Pace:
        """One rule for each person."""

        async def count(user_id: int) -> None:
            await self.spend((rule, str(user_id)))

        return count

    async def close(self) -> None:
        """Leave no connection."""
        await self._shared.close()

    def _lost(self, fault: Exception) -> None:
        log.warning("ratelimit.shared_counters_away", cause=repr(fault))
        self._away_until = self._clock() + AWAY_S


async def unhurried(_user_id: int) -> None:
    """The `Pace` of a service that is used without limits."""


def too_many(refused: Refused) -> TooManyRequests:
    """The error, with what the headers say (draft-ietf-httpapi-ratelimit-headers, version 10)."""
    rule = refused.rule
    return TooManyRequests(
        retry_after=max(1, ceil(refused.wait_s)),
        policy=rule.name,
        limit=rule.limit,
        window=ceil(rule.period_s),
    )


@lru_cache(maxsize=REMEMBERED_ADDRESSES)
def network_of(address: str) -> str:
    """Whom an address belongs to: itself for IPv4, its /64 for IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))
