"""Whether two kinds of answers take the same time, as a guesser with patience would ask."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.report import FULL, sized

SAMPLES = sized(200, 2000)
"""Of each kind (S5)."""


@dataclass(frozen=True)
class Comparison:
    """Two medians, how far apart they are, and how likely chance alone explains it."""

    known_ms: float
    unknown_ms: float
    difference: float
    p: float

    def __str__(self) -> str:
        """One line for the record."""
        return (
            f"known {self.known_ms:.2f} ms, unknown {self.unknown_ms:.2f} ms, "
            f"{self.difference:.1%} apart, Mann-Whitney p={self.p:.3f}"
        )

    def check(self) -> None:
        """At full size the promise of S5; at commit size only what no load explains."""
        assert self.difference < 0.5
        if FULL:
            assert self.difference <= 0.03
            assert self.p > 0.01


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
