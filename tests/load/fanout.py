"""Fan-out against Node and the physical limit: `python -m tests.load.fanout [names] [--reps 3]`."""

import argparse
from collections.abc import Callable, Sequence

from tests.load.harness import Bench, Row, bench, goal, interleaved, medians, report

Judge = Callable[[Row, Row, Row], bool]
"""Says whether ours, Node and the limit stand as they should."""
TESTS: dict[str, Sequence[str]] = {
    "1k saturated": ("--n", "1000", "--pub-window", "8", "--duration", "2", "--warm", "0.3"),
    "1k at 20/s": ("--n", "1000", "--pub-rate", "20", "--duration", "3", "--warm", "0.3"),
    "1k at 200/s": ("--n", "1000", "--pub-rate", "200", "--duration", "3", "--warm", "0.5"),
    "5k saturated": ("--n", "5000", "--pub-window", "4", "--duration", "3", "--warm", "0.5"),
    "10k saturated": ("--n", "10000", "--pub-window", "4", "--duration", "4", "--warm", "1"),
    "10k saturated, 8 in flight": (
        *("--n", "10000", "--pub-window", "8", "--duration", "4", "--warm", "1"),
    ),
}

LEAST_REPS = {"1k at 20/s": 7}
"""Sixty messages are few: one run differs from the next by a tenth."""


def main() -> int:
    """Measure and compare; the exit status says whether every goal was reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*TESTS, []], help="only these")
    parser.add_argument("--reps", type=int, default=3)
    chosen = parser.parse_args()
    with bench() as box:
        results = [
            run(box, name, max(chosen.reps, LEAST_REPS.get(name, 0)))
            for name in chosen.names or TESTS
        ]
    return 0 if all(results) else 1


def run(box: Bench, name: str, reps: int) -> bool:
    """One test with all its peers."""
    found = interleaved(box, [box.ours, box.node, box.limit], reps, *TESTS[name])
    rows = {peer: medians(runs) for peer, runs in found.items()}
    for peer, row in rows.items():
        report(
            name,
            peer=peer,
            deliveries_per_s=round(row["frames_per_s"]),
            cpu_us_per_delivery=row["srv_cpu_us_per_frame"],
            cpu_pct=row["srv_cpu_pct"],
            p50_ms=round(row["lat_us"]["p50"] / 1e3, 2),
            p99_ms=round(row["lat_us"]["p99"] / 1e3, 2),
            kib_per_connection=row["rss_kib"]["per_conn"],
            lost=row["lost"],
            gaps=row["gaps"],
            generator_cpu_pct=row["gen_cpu_pct"],
            foreign_pct=row["foreign_pct"],
        )
    ours, node, limit = rows.values()
    return GOALS[name](ours, node, limit) and not ours["lost"] and not ours["gaps"]


def cpu(row: Row) -> float:
    """Processor time of the server for one delivery."""
    return float(row["srv_cpu_us_per_frame"])


def p99(row: Row) -> float:
    """Nearly everybody has the message by then."""
    return float(row["lat_us"]["p99"])


def saturated(ours: Row, node: Row, limit: Row) -> bool:
    """The processor is the bound."""
    first = goal("1k saturated: CPU per delivery / Node", cpu(ours) / cpu(node), 0.25)
    second = goal("1k saturated: CPU per delivery / C limit", cpu(ours) / cpu(limit), 1.0)
    return first and second


def modest(ours: Row, _node: Row, limit: Row) -> bool:
    """Nothing waits."""
    first = goal("1k at 20/s: p99 / C limit", p99(ours) / p99(limit), 1.2)
    second = goal("1k at 20/s: CPU per delivery / C limit", cpu(ours) / cpu(limit), 1.1)
    return first and second


def busy(ours: Row, node: Row, _limit: Row) -> bool:
    """A rate that fills Node's processor."""
    share = ours["srv_cpu_pct"] / node["srv_cpu_pct"]
    first = goal("1k at 200/s: CPU / Node", share, 0.35)
    second = goal("1k at 200/s: p99 / Node", p99(ours) / p99(node), 1.0)
    return first and second


def crowd(name: str) -> Judge:
    """Many sockets."""

    def judge(ours: Row, node: Row, _limit: Row) -> bool:
        rate = ours["frames_per_s"] / node["frames_per_s"]
        first = goal(f"{name}: deliveries/s / Node", rate, 5.0, at_least=True)
        second = goal(f"{name}: p99 / Node", p99(ours) / p99(node), 1.0)
        report(f"{name}: CPU per delivery / Node", ratio=round(cpu(ours) / cpu(node), 3))
        return first and second

    return judge


def no_goal(_ours: Row, _node: Row, _limit: Row) -> bool:
    """Printed only."""
    return True


GOALS: dict[str, Judge] = {
    "1k saturated": saturated,
    "1k at 20/s": modest,
    "1k at 200/s": busy,
    "5k saturated": no_goal,
    "10k saturated": crowd("10k saturated"),
    "10k saturated, 8 in flight": crowd("10k saturated, 8 in flight"),
}

if __name__ == "__main__":
    raise SystemExit(main())
