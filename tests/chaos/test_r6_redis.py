"""R6: Redis is killed under load, for as long as it takes: a LOG channel loses nothing."""

import asyncio
import secrets
import time
from typing import Any

import pytest

from realtime import Identity, Limits
from realtime.broker_redis import RedisBroker, RedisOptions
from realtime.testing import Client, Kit, MemoryLog
from tests.realtime.families import LOG, NO_PINGS, TAIL, VALUE
from tests.realtime.waiting import until
from tests.support.redis_server import RedisServer
from tests.support.report import Report, sized

pytestmark = pytest.mark.chaos

CHANNEL = "log:1"
CLIENTS = 100
EVENTS_PER_S = 50
FLOWING_WITHIN_S = 3.0
OUTAGES_S = sized((1.0, 4.0), (0.1, 0.5, 1.0, 4.0, 10.0, 30.0, 60.0))
KILLS = sized(1, 15)
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

    def __init__(self, server: RedisServer) -> None:
        self.server = server
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
                for _ in range(KILLS):
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
            await asyncio.sleep(1 / EVENTS_PER_S)

    async def _read(self) -> None:
        while True:
            now = time.monotonic()
            for tally in self.tallies:
                tally.take(now)
            await asyncio.sleep(0.02)

    async def _complete(self) -> None:
        total = len(self.log.rows[CHANNEL])
        await until(lambda: all(len(tally.seen) >= total for tally in self.tallies))


@pytest.mark.timeout(sized(60, 7200))
async def test_r6_killed_redis_loses_nothing() -> None:
    """0 lost, 0 doubled, 0 out of order, nobody told of a gap; flowing within 3 s."""
    report = Report("R6", extra={"outages_s": ",".join(map(str, OUTAGES_S)), "kills": KILLS})
    servers = [RedisServer() for _ in OUTAGES_S]
    try:
        for server in servers:
            server.start()
        stories = [Story(server) for server in servers]
        # Outages run side by side: each has its own Redis and its own processes.
        results: list[Any] = await asyncio.gather(
            *(story.tell(s, report) for story, s in zip(stories, OUTAGES_S, strict=True)),
            return_exceptions=True,
        )
        for failure in (r for r in results if isinstance(r, BaseException)):
            raise failure
    finally:
        for server in servers:
            server.__exit__(None, None, None)
    report.conclude()
