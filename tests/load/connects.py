"""Connects a second, memory of an idle connection, the storm: `python -m tests.load.connects`."""

import argparse
from statistics import median

from tests.load.harness import (
    CHANNEL,
    Bench,
    Row,
    bench,
    goal,
    interleaved,
    medians,
    process_s,
    report,
)

RECOVER = (
    '{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"%s","recover":true,'  # noqa: UP031
    '"epoch":"%%e","offset":0}}' % CHANNEL
)
TESTS = ("connects", "memory", "storm")
SHORT_ROUNDS = 10
WARMING = 3
"""Rounds before the one that counts: Node needs a third of its first round's time after that."""


def main() -> int:
    """Measure and compare; the exit status says whether every goal was reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    run = {"connects": connects, "memory": memory, "storm": storm, "beside": beside}
    parser.add_argument("names", nargs="*", choices=[*run, []], help="only these")
    parser.add_argument("--reps", type=int, default=3)
    chosen = parser.parse_args()
    with bench() as box:
        results = [run[name](box, chosen.reps) for name in chosen.names or TESTS]
    return 0 if all(results) else 1


def connects(box: Bench, reps: int) -> bool:
    """Ours with identity, `connect` and one `subscribe`; bare Node with its handshake only.

    The answering Node does what the generator asks of us too: a comparison of equals, no goal.
    """
    peers = (box.ours, box.node, box.answering_node)
    warm: dict[str, list[Row]] = {peer.name: [] for peer in peers}
    options = ("--n", "3000", "--idle", "--inflight", "64")
    for _ in range(reps):
        for peer in peers:
            with box.running(peer) as pid:
                for _ in range(WARMING):
                    box.drive(peer, pid, *options)
                warm[peer.name].append(box.drive_undisturbed(peer, pid, *options))
    rows = {name: medians(runs) for name, runs in warm.items()}
    for name, row in rows.items():
        report(
            "connects",
            peer=name,
            per_s=round(row["connect_rate"]),
            cpu_us_each=row["connect_cpu_us_per_conn"],
            connected=row["connected"],
            foreign_pct=row["foreign_pct"],
        )
    ours, node, equal = (row["connect_rate"] for row in rows.values())
    report("connects/s / a Node that answers", ratio=round(ours / equal, 3))
    return goal("connects/s / bare Node", ours / node, 0.5, at_least=True)


def beside(box: Bench, reps: int) -> bool:
    """The same beside other work: many short rounds on warm servers; the least of them counts.

    A round of 50 ms is seldom interrupted, so that the least processor time is nearly that of a
    quiet machine. Connects a second are not, so there is no goal.
    """
    rows: dict[str, list[Row]] = {}
    options = ("--idle", "--inflight", "64")
    for _ in range(reps):
        for peer in (box.ours, box.node, box.answering_node):
            with box.running(peer) as pid:
                for _ in range(WARMING):
                    box.drive(peer, pid, "--n", "3000", *options)
                short = [box.drive(peer, pid, "--n", "600", *options) for _ in range(SHORT_ROUNDS)]
            rows.setdefault(peer.name, []).extend(short)
    for name, runs in rows.items():
        report(
            "connects beside other work",
            peer=name,
            least_cpu_us=min(row["connect_cpu_us_per_conn"] for row in runs),
            median_cpu_us=median(row["connect_cpu_us_per_conn"] for row in runs),
            most_per_s=max(row["connect_rate"] for row in runs),
            median_per_s=median(row["connect_rate"] for row in runs),
        )
    return True


def memory(box: Bench, reps: int) -> bool:
    """Connected, subscribed, idle."""
    found = interleaved(box, [box.ours, box.node], reps, "--n", "10000", "--idle")
    rows = {peer: medians(runs) for peer, runs in found.items()}
    for peer, row in rows.items():
        report("memory", peer=peer, connections=10000, kib_each=row["rss_kib"]["per_conn"])
    first = goal("memory: KiB for each connection", rows["ours"]["rss_kib"]["per_conn"], 6.0)
    return idle(box) and first


def idle(box: Bench) -> bool:
    """What 10 000 sockets that are pinged and answer cost, over more than one ping interval."""
    with box.running(box.ours) as pid:
        before = process_s(pid)
        row = box.drive(box.ours, pid, "--n", "10000", "--idle", "--settle", "30")
        used_s = process_s(pid) - before - row["connect_cpu_us_per_conn"] * row["connected"] / 1e6
    report("idle", connections=row["still_open"], pings=row["app_pings"], cpu_s=round(used_s, 2))
    share = goal("idle: CPU of 10 000 sockets, per cent of a core", used_s / 30 * 100, 5.0)
    # Spread over the interval, so that some are pinged twice meanwhile.
    return share and row["still_open"] == row["n"] <= row["app_pings"]


def storm(box: Bench, reps: int) -> bool:
    """10 000 clients are dropped in one instant and come back, each with a recovery."""
    options = ("--n", "10000", "--idle", "--inflight", "512", "--again", RECOVER)
    row = medians(interleaved(box, [box.ours], reps, *options)["ours"])
    again = row["again"]
    report(
        "storm",
        back=again["ready"],
        recovered=again["recovered"],
        seconds=again["secs"],
        cpu_s=again["cpu_s"],
    )
    all_back = again["ready"] == again["recovered"] == row["n"]
    return goal("storm: seconds until all are back", again["secs"], 30.0) and all_back


if __name__ == "__main__":
    raise SystemExit(main())
