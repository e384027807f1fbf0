"""Listeners that do nothing wrong, on a server that somebody else attacks: they must not notice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.peer import Peer, crowd, crowd_server
from tests.support.report import FULL, Report

LIMITS = {"max_user_connections": 20_000, "drain_s": 0.01}
NEIGHBOURS = 10
NEIGHBOUR_FACTOR = 2
NEIGHBOUR_FLOOR_MS = 50
"""Below this a ratio says nothing on a shared machine."""
NEIGHBOUR_MS = 2_000
"""The bound at commit size, where only zeros may fail."""


@asynccontextmanager
async def neighbourhood(**limits: float) -> AsyncIterator[tuple["Neighbours", str]]:
    """A server, some listeners that do nothing wrong, and its address."""
    wanted = ((f"n{n}", "", ["log:1"]) for n in range(NEIGHBOURS))
    async with crowd_server(**LIMITS, **limits) as (server, url), crowd(url, wanted) as ears:
        yield Neighbours(server, ears), url


class Neighbours:
    """Who must not notice anything."""

    def __init__(self, server: Peer, ears: Peer) -> None:
        self._server, self._ears = server, ears
        self.before_ms = 0.0

    async def listen(self, number: int) -> dict[str, float]:
        """Hear so many facts, a hundred a second; what was heard, and how late."""
        late = await self.hear(number)
        return {**await self._ears.ask("report"), **late}

    async def hear(self, number: int) -> dict[str, Any]:
        """The same; it counts in the next report."""
        told = await self._server.ask("publish", channels=["log:1"], number=number, per_s=100)
        return await self._ears.ask("level", heads=told["heads"], within_s=10)

    async def server(self) -> dict[str, Any]:
        """How the server is."""
        return await self._server.ask("state")

    async def judge(self, report: Report, during: dict[str, float]) -> None:
        """Nothing missing, nobody dropped, and hardly later than before."""
        report.missing = int(during["missing"] + during["behind"])
        report.duplicated = int(during["duplicated"])
        report.p99 = during["p99_ms"]
        report.extra["before_ms"] = self.before_ms
        report.demand("the neighbours stayed", not during["connects"])
        allowed_ms = max(NEIGHBOUR_FACTOR * self.before_ms, NEIGHBOUR_FLOOR_MS)
        bound_ms = allowed_ms if FULL else NEIGHBOUR_MS
        report.demand("the neighbours' p99", report.p99 <= bound_ms)
