"""Something that is fetched when it is asked for, and kept for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from app.infra.federation.faults import FederationFault

KEEP_S = 3600.0
COOL_S = 30.0
"""After a fetch, whoever wants something newer is told to be content: strangers may cause the
wish, and must not make us knock at the provider's door as often as they like."""

T = TypeVar("T")


class Cached(Generic[T]):
    """One fetch at a time; while the provider is away an old thing is better than none."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[T]],
        *,
        keep_s: float = KEEP_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._keep_s = keep_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._kept: T | None = None
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._failures = 0
        self._fault: FederationFault | None = None

    async def get(self, *, anew: bool = False) -> T:
        """The thing; `anew` asks for one that was fetched just now. Raises FederationFault.

        Whoever waited for a fetch that failed shares its fault: in turn, each would wait longer.
        """
        failures = self._failures
        keep_s = COOL_S if anew else self._keep_s
        async with self._lock:
            kept = self._kept
            if kept is not None and self._age(self._fetched_at) < keep_s:
                return kept
            if kept is not None and self._age(self._tried_at) < COOL_S:
                return kept
            if self._fault is not None and self._failures > failures:
                raise FederationFault(self._fault.kind, self._fault.detail)
            self._tried_at = self._clock()
            try:
                self._kept = await self._fetch()
            except FederationFault as fault:
                self._failures, self._fault = self._failures + 1, fault
                if kept is None:
                    raise
                return kept
            self._fetched_at = self._clock()
            return self._kept

    def _age(self, at: float) -> float:
        return self._clock() - at
