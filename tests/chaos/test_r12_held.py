"""R12, R13: many sockets held, and one fact for all; server and crowd in own processes."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.support.peer import Peer, crowd, crowd_server
from tests.support.report import Report, hours, sized

pytestmark = pytest.mark.chaos

LIMITS = {"max_user_connections": 20_000, "drain_s": 0.01}
HELD = sized(1_000, 10_000)
HELD_S = hours(5, 1800)
RSS_KIB = sized(30.0, 6.0)
IDLE_CPU = sized(0.25, 0.05)
FAN = sized((500, 20, 20.0), (10_000, 300, 5.0))
"""Listeners of one topic, facts, facts a second."""
MANY = sized((50, 10, 200, 100.0), (1_000, 10, 15_000, 500.0))
"""Topics, listeners of each, facts, facts a second."""
ONE_TOPIC_P99_MS = sized(5_000, 1_000)
MANY_TOPICS_P99_MS = sized(1_250, 250)
LEVEL_S = 30.0


def listeners(number: int, channels: Sequence[str]) -> Iterator[tuple[str, str, Sequence[str]]]:
    """All on the same channels, each a person of its own."""
    return ((str(n), "", channels) for n in range(number))


@pytest.mark.timeout(sized(60, 3600))
async def test_r12_sockets_are_held_for_little() -> None:
    """Three topics each: 0 drops, a few KiB for each, next to no work while nothing happens."""
    report = Report("R12", clients=HELD)
    topics = ("log:1", "tail:1", "value:1")
    async with crowd_server(**LIMITS) as (server, url):
        async with crowd(url, listeners(100, topics)):
            pass  # what is loaded and allotted once belongs to nobody
        empty = await server.ask("state")
        async with crowd(url, listeners(HELD, topics)) as ears:
            before = await server.ask("state")
            await asyncio.sleep(HELD_S)  # holding has a length
            after = await server.ask("state")
            heard = await ears.ask("report")
    each = (after["rss_kib"] - empty["rss_kib"]) / HELD
    cpu = (after["cpu_s"] - before["cpu_s"]) / HELD_S
    report.extra = {"rss_kib_each": round(each, 2), "idle_cpu": round(cpu, 4), "held_s": HELD_S}
    report.demand("0 drops", (after["connections"], heard["connects"]) == (HELD, HELD))
    report.demand("memory", each <= RSS_KIB)
    report.demand("idle", cpu <= IDLE_CPU)
    report.conclude()


async def spread(report: Report, server: Peer, ears: Peer, **order: Any) -> None:
    """Publish, wait until everybody is level, and note what was heard."""
    await ears.ask("report")
    told = await server.ask("publish", **order)
    late = await ears.ask("level", heads=told["heads"], within_s=LEVEL_S)
    heard = await ears.ask("report")
    report.events, report.p99 = heard["heard"], heard["p99_ms"]
    report.missing = heard["missing"] + late["behind"]
    report.duplicated = heard["duplicated"]
    report.extra = {"per_s": order["per_s"], "took_s": round(told["seconds"], 1)}
    report.demand("nobody came anew or was told of a gap", not heard["connects"] + heard["gaps"])


@pytest.mark.timeout(sized(60, 1200))
async def test_r13_one_topic_reaches_everybody_soon() -> None:
    """Every fact once and in order, at every one of them; p99."""
    number, facts, per_s = FAN
    report = Report("R13-one", clients=number)
    async with (
        crowd_server(**LIMITS) as (server, url),
        crowd(url, listeners(number, ["log:1"])) as ears,
    ):
        await spread(report, server, ears, channels=["log:1"], number=facts, per_s=per_s)
        report.demand("all of them", report.events == number * facts)
        report.demand("p99", report.p99 <= ONE_TOPIC_P99_MS)
    report.conclude()


@pytest.mark.timeout(sized(60, 1200))
async def test_r13_many_topics_reach_their_own_soon() -> None:
    """A thousand small rooms instead of one large one."""
    topics, each, facts, per_s = MANY
    names = [f"log:{n}" for n in range(topics)]
    report = Report("R13-many", clients=topics * each)
    wanted = ((f"{name}-{n}", "", [name]) for name in names for n in range(each))
    async with crowd_server(**LIMITS) as (server, url), crowd(url, wanted) as ears:
        await spread(report, server, ears, channels=names, number=facts, per_s=per_s)
        report.demand("all of them", report.events == each * facts)
        report.demand("p99", report.p99 <= MANY_TOPICS_P99_MS)
    report.conclude()
