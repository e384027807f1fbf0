"""Whether two kinds of answers take the same time, as a guesser with patience would ask."""

import math
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx

from tests.support.report import FULL, SEED, Report, sized

SAMPLES = sized(200, 2000)
"""Of each kind (S5)."""


@dataclass(frozen=True)
class Comparison:
    """Two medians, how far apart they are, and how likely chance alone explains it."""

    known_ms: float
    unknown_ms: float
    difference: float
    p: float

    def conclude(self, name: str) -> None:
        """At full size the promise of S5; at commit size only what no load explains."""
        report = Report(name, events=2 * SAMPLES, clients=1)
        report.extra = {
            "known_ms": round(self.known_ms, 3),
            "unknown_ms": round(self.unknown_ms, 3),
            "apart": f"{self.difference:.2%}",
            "mann_whitney_p": round(self.p, 4),
        }
        report.demand("not far apart", self.difference < 0.5)
        if FULL:
            report.demand("at most 3 % apart", self.difference <= 0.03)
            report.demand("apart by chance alone", self.p > 0.01)
        report.conclude()


async def alternate(
    knock: Callable[[str], Awaitable[httpx.Response]],
    known: Sequence[str],
    unknown: Callable[[], str],
) -> Comparison:
    """Knock with known and unknown addresses in turn, so that the machine's moods reach both alike;
    which of a pair is first is left to chance."""
    times: dict[bool, list[float]] = {True: [], False: []}
    answers: set[int] = set()
    chance = random.Random(SEED)
    for _ in range(SAMPLES):
        for is_known in chance.sample((True, False), 2):
            email = chance.choice(known) if is_known else unknown()
            started = time.perf_counter()
            answer = await knock(email)
            times[is_known].append(time.perf_counter() - started)
            answers.add(answer.status_code)
    assert len(answers) == 1, answers
    return compare(times[True], times[False])


def compare(known: Sequence[float], unknown: Sequence[float]) -> Comparison:
    """Times in seconds."""
    here, there = statistics.median(known) * 1000, statistics.median(unknown) * 1000
    return Comparison(
        here, there, abs(here - there) / max(here, there), mann_whitney(known, unknown)
    )


def mann_whitney(ones: Sequence[float], others: Sequence[float]) -> float:
    """The two-sided p of the rank-sum test by its normal approximation, good from 20 values on."""
    ranked = sorted([(value, 0) for value in ones] + [(value, 1) for value in others])
    ranks = sum(rank for rank, (_, group) in enumerate(ranked, 1) if group == 0)
    n, m = len(ones), len(others)
    u = ranks - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))
