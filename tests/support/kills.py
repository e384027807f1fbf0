"""A Redis that is killed again and again under two processes of the core and their subscribers."""

import asyncio
import secrets
import time

from realtime import Identity, Limits
from realtime.broker_redis import RedisBroker, RedisOptions
from realtime.testing import Client, Kit, MemoryLog
from tests.realtime.families import LOG, NO_PINGS, TAIL, VALUE
from tests.realtime.waiting import until
from tests.support.redis_server import RedisServer
from tests.support.report import Report, sized

CHANNEL = "log:1"
CLIENTS = 100
FLOWING_WITHIN_S = sized(15.0, 3.0)
"""The figure is 3 s; five times that at commit size, where only zeros may fail."""
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
