"""The one line that every chaos and load test prints: what was counted, and whether it holds."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("SICERDAS_TEST_SIZE") == "full"
SHARE = float(os.environ.get("SICERDAS_TEST_SHARE", "1"))
"""How much of what takes hours at full size is run; the line says so."""
SEED = int(os.environ.get("SICERDAS_TEST_SEED", "20261122"))


def sized(commit: T, full: T) -> T:
    """Choose by SICERDAS_TEST_SIZE."""
    return full if FULL else commit


def hours(commit: int, full: int) -> int:
    """Choose a number that means hours at full size: `SICERDAS_TEST_SHARE` of it is run then."""
    return max(1, int(full * SHARE)) if FULL else commit


def p99_ms(seconds: Sequence[float]) -> float:
    """The 99th percentile, in milliseconds; 0 of nothing."""
    if not seconds:
        return 0.0
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * 0.99))] * 1000


@dataclass
class Report:
    """One row of RELIABILITY: everything is counted in both directions."""

    name: str
    events: int = 0
    clients: int = 0
    missing: int = 0
    duplicated: int = 0
    disordered: int = 0
    latencies: list[float] = field(default_factory=list)
    p99: float = 0.0
    """Milliseconds, where somebody else measured the latencies."""
    extra: dict[str, object] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """Promises that do not hold, besides the three zeros."""

    def reconcile(self, seen: Sequence[int], expected: Sequence[int]) -> None:
        """Compare what one client saw with what it had to see; the unexpected is a duplicate."""
        self.clients += 1
        wanted, got = set(expected), set(seen)
        self.missing += len(wanted - got)
        self.duplicated += len(seen) - len(got) + len(got - wanted)
        self.disordered += sum(a > b for a, b in pairwise(seen))

    def demand(self, promise: str, holds: object) -> None:
        """Note a promise that is not kept."""
        if not holds:
            self.faults.append(promise)

    @property
    def is_broken(self) -> bool:
        """Whether anything that was promised does not hold."""
        return bool(self.missing or self.duplicated or self.disordered or self.faults)

    def conclude(self) -> None:
        """Print the line; fail when anything is broken."""
        self.print()
        assert not self.is_broken, (self.name, self.faults)

    def print(self) -> None:
        """Print the line."""
        facts = {
            "name": self.name,
            "size": ("full" if SHARE == 1 else f"{SHARE:g}_of_full") if FULL else "commit",
            "seed": SEED,
            "machine": f"{platform.machine()}/{os.cpu_count()}",
            "events": self.events,
            "clients": self.clients,
            "missing": self.missing,
            "duplicated": self.duplicated,
            "disordered": self.disordered,
            "p99_ms": round(self.p99 or p99_ms(self.latencies), 1),
            **self.extra,
            "exit": int(self.is_broken),
        }
        print(" ".join(f"{key}={value}" for key, value in facts.items()), flush=True)


def check_all(*reports: Report) -> None:
    """Fail when any is broken; their lines were printed before."""
    assert not [(r.name, r.faults) for r in reports if r.is_broken]
