"""R6, R10: Redis is killed, and lines are spoilt, for as long as it takes: nothing is lost.

Outages take their time, so they run side by side: each installation has its own Redis.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from itertools import cycle

import pytest

from app.kit.principal import Role
from tests.support.facts import Facts
from tests.support.house import MakePerson, Person, Served
from tests.support.kills import FLOWING_WITHIN_S, Story
from tests.support.library import add_book
from tests.support.network import half_open, weather
from tests.support.processes import AppProcess
from tests.support.redis_server import KEEPING, RedisServer
from tests.support.report import Report, check_all, hours, sized

pytestmark = pytest.mark.chaos

OUTAGES = sized(
    ((0.5, 1, 20), (1.0, 3, 50), (4.0, 3, 50), (10.0, 3, 50), (30.0, 1, 20)),
    (
        *((s, hours(12, 12), 50) for s in (60.0, 30.0)),
        *((s, hours(15, 15), 50) for s in (10.0, 4.0, 1.0, 0.5, 0.1)),
        (4.0, 1, 50),
    ),
)
"""Seconds, how many kills, events a second; every line is an installation of its own. In full
100 kills. Every other installation has a Redis that keeps its data."""
AT_ONCE = 5
"""Of them: their subscribers live in one process, which more would keep busier than Redis does."""
FACTS_OUTAGES_S = sized((1.0, 4.0, 10.0), (0.1, 0.5, 1.0, 4.0, 10.0, 30.0, 60.0))
FACTS_SOCKETS = 100
PEOPLE, BOOKS = sized((12, 120), (40, 300))


async def kill_brokers(report: Report) -> None:
    """Channels of the core: outages side by side, each with its own Redis and processes."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def live(seconds: float, kills: int, per_s: float, options: Sequence[str]) -> None:
        async with gate:
            server = RedisServer(0, *options)
            try:
                await asyncio.to_thread(server.start)
                await Story(server, kills, per_s).tell(seconds, report)
            finally:
                server.__exit__(None, None, None)

    async with asyncio.TaskGroup() as group:
        for outage, options in zip(OUTAGES, cycle(((), KEEPING))):
            group.create_task(live(*outage, options))


async def kill_under_facts(facts: Facts, redis: RedisServer, report: Report) -> None:
    """The whole app: one Redis, killed again and again while people like, report and ask."""
    async with facts.listening(FACTS_SOCKETS):
        async with facts.load():
            for seconds in FACTS_OUTAGES_S:
                await facts.outage(redis, seconds)
            await asyncio.sleep(0.5)  # load after
        await facts.reconcile(report)
    report.extra["flowing_s"] = round(max(facts.back_s), 2)
    report.demand("flowing within 3 s", max(facts.back_s) <= FLOWING_WITHIN_S)


@pytest.mark.timeout(sized(180, 9000))
async def test_r6_r10_outages_lose_nothing(
    redis_server: RedisServer,
    app_environment: dict[str, str],
    served: Served,
    person: MakePerson,
    teacher: Person,
) -> None:
    """0 lost, 0 doubled, 0 out of order, nobody told of a gap; flowing within 3 s. In the app,
    answers, rows and what sockets saw agree in both directions, and nobody is refused meanwhile.
    On a bad network each client sees every event once and in order; a half-open one is found."""
    lengths = ",".join(f"{kills}x{seconds}" for seconds, kills, _ in OUTAGES)
    brokers = Report("R6", extra={"kills": lengths})
    likes = Report("R6-facts", extra={"kills": ",".join(f"1x{s}" for s in FACTS_OUTAGES_S)})
    environment = app_environment | {
        "REDIS_URL": redis_server.url,
        "SICERDAS_ANSWERS_PER_MINUTE": "100000",
    }
    storm, silent = Report("R10"), Report("R10-half-open")
    people = [await person() for _ in range(PEOPLE)]
    moderator = await person(Role.MODERATOR)
    books = [(await add_book(teacher))["id"] for _ in range(BOOKS)]
    with ExitStack() as stack:
        apps = [stack.enter_context(AppProcess.serve(environment)) for _ in range(2)]
        stack.enter_context(AppProcess(environment, "worker"))
        for app in apps:
            await asyncio.to_thread(app.wait_ready)
        facts = Facts([app.url for app in apps], people, moderator, books, served.house.db)
        async with asyncio.TaskGroup() as group:
            group.create_task(shown(kill_brokers(brokers), brokers))
            group.create_task(shown(kill_under_facts(facts, redis_server, likes), likes))
            for network, report in ((weather, storm), (half_open, silent)):
                server = await asyncio.to_thread(stack.enter_context, RedisServer())
                group.create_task(shown(network(server, report), report))
    check_all(brokers, likes, storm, silent)


async def shown(row: Coroutine[None, None, None], report: Report) -> None:
    """Run a row and print its line: at full size the last comes two hours after the first."""
    await row
    report.print()
