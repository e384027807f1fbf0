"""R6: Redis is killed under load, for as long as it takes: a LOG channel loses nothing."""

import asyncio
import secrets
import time
from contextlib import ExitStack

import pytest

from app.kit.principal import Role
from realtime import Identity, Limits
from realtime.broker_redis import RedisBroker, RedisOptions
from realtime.testing import Client, Kit, MemoryLog
from tests.realtime.families import LOG, NO_PINGS, TAIL, VALUE
from tests.realtime.waiting import until
from tests.support.facts import Facts
from tests.support.house import MakePerson, Person, Served
from tests.support.library import add_book
from tests.support.processes import AppProcess
from tests.support.redis_server import RedisServer
from tests.support.report import Report, sized

pytestmark = pytest.mark.chaos

CHANNEL = "log:1"
CLIENTS = 100
FLOWING_WITHIN_S = sized(15.0, 3.0)
OUTAGES = sized(
    ((0.5, 1, 20), (1.0, 3, 50), (4.0, 3, 50), (10.0, 3, 50), (30.0, 1, 20)),
    (
        *((s, 15, 50) for s in (0.1, 0.5, 1.0, 4.0, 10.0)),
        *((s, 12, 50) for s in (30.0, 60.0)),
        (4.0, 1, 50),
    ),
)
"""Seconds, how many kills, events a second; every line is an installation of its own. In full
100 kills."""
FACTS_OUTAGES_S = sized((1.0, 4.0, 10.0), (0.1, 0.5, 1.0, 4.0, 10.0, 30.0, 60.0))
FACTS_SOCKETS = 100
PEOPLE, BOOKS = sized((12, 120), (40, 300))
LIMITS = Limits(ping_interval_s=NO_PINGS)


class Tally:
    """What one subscriber saw."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.seen: list[int] = []
        self.latencies: list[float] = []
        self.told = 0

    def take(self, now: float) -> None:
        """Count what came since the last time."""
        frames, self.client.transport.frames = self.client.transport.frames, []
        for push in (frame["push"] for frame in frames if "push" in frame):
            self.told += "unsubscribe" in push
            if push["channel"] == CHANNEL and "pub" in push:
                self.seen.append(push["pub"]["offset"])
                self.latencies.append(now - push["pub"]["data"])


class Story:
    """One Redis, two processes, a hundred subscribers, and a writer that never stops."""

    def __init__(self, server: RedisServer, kills: int, per_s: float) -> None:
        self.server = server
        self.kills = kills
        self.per_s = per_s
        self.log = MemoryLog()
        options = RedisOptions(prefix=secrets.token_hex(4))
        self.kits = [
            Kit(
                [LOG, VALUE, TAIL],
                log=self.log,
                broker=RedisBroker(server.url, options),
                limits=LIMITS,
            )
            for _ in range(2)
        ]
        self.tallies: list[Tally] = []
        self.back_s: list[float] = []

    async def tell(self, outage_s: float, report: Report) -> None:
        """Live through kills of this length; count."""
        async with self.kits[0], self.kits[1]:
            for number in range(CLIENTS):
                client = await self.kits[number % 2].connected(Identity(user=str(number)))
                await client.subscribe(CHANNEL)
                self.tallies.append(Tally(client))
            work = [asyncio.create_task(w) for w in (self._publish(), self._read())]
            try:
                for _ in range(self.kills):
                    await self._kill(outage_s)
            finally:
                work[0].cancel()
            await self._complete()
            work[1].cancel()
            await asyncio.gather(*work, return_exceptions=True)
        expected = range(1, len(self.log.rows[CHANNEL]) + 1)
        report.events += len(expected)
        for tally in self.tallies:
            report.reconcile(tally.seen, expected)
            report.latencies += tally.latencies
            report.demand("nobody was told of a gap", tally.told == 0)
        report.demand("flowing within 3 s", max(self.back_s) <= FLOWING_WITHIN_S)
        report.extra["flowing_s"] = max(
            round(max(self.back_s), 2), float(str(report.extra.get("flowing_s", 0)))
        )

    async def _kill(self, outage_s: float) -> None:
        await asyncio.sleep(0.5)  # load before
        self.server.kill()
        await asyncio.sleep(outage_s)  # an outage has a length
        await asyncio.to_thread(self.server.start)
        back = time.monotonic()
        await until(lambda: all(kit.node.state.connected for kit in self.kits))
        self.back_s.append(time.monotonic() - back)

    async def _publish(self) -> None:
        number = 0
        while True:
            number += 1
            entry = self.log.commit(CHANNEL, time.monotonic())
            node = self.kits[number % 2].node
            await node.publish_log(CHANNEL, entry)
            # Waits for Redis in an outage, and must not stand in the log's way.
            await node.publish_value("value:1", b"%d" % number, number)
            await asyncio.sleep(1 / self.per_s)

    async def _read(self) -> None:
        while True:
            now = time.monotonic()
            for tally in self.tallies:
                tally.take(now)
            await asyncio.sleep(0.02)

    async def _complete(self) -> None:
        total = len(self.log.rows[CHANNEL])
        await until(lambda: all(len(tally.seen) >= total for tally in self.tallies))


async def kill_brokers(report: Report) -> None:
    """Channels of the core: outages side by side, each with its own Redis and processes."""
    servers = [RedisServer() for _ in OUTAGES]
    try:
        for server in servers:
            await asyncio.to_thread(server.start)
        async with asyncio.TaskGroup() as group:
            for server, (seconds, kills, per_s) in zip(servers, OUTAGES, strict=True):
                group.create_task(Story(server, kills, per_s).tell(seconds, report))
    finally:
        for server in servers:
            server.__exit__(None, None, None)


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


@pytest.mark.timeout(sized(120, 7200))
async def test_r6_killed_redis_loses_nothing(
    redis_server: RedisServer,
    app_environment: dict[str, str],
    served: Served,
    person: MakePerson,
    teacher: Person,
) -> None:
    """0 lost, 0 doubled, 0 out of order, nobody told of a gap; flowing within 3 s. In the app,
    answers, rows and what sockets saw agree in both directions, and nobody is refused meanwhile."""
    lengths = ",".join(f"{kills}x{seconds}" for seconds, kills, _ in OUTAGES)
    brokers = Report("R6", extra={"kills": lengths})
    likes = Report("R6-facts", extra={"kills": ",".join(f"1x{s}" for s in FACTS_OUTAGES_S)})
    environment = app_environment | {
        "REDIS_URL": redis_server.url,
        "SICERDAS_ANSWERS_PER_MINUTE": "100000",
    }
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
            group.create_task(kill_brokers(brokers))
            group.create_task(kill_under_facts(facts, redis_server, likes))
    likes.conclude()
    brokers.conclude()
