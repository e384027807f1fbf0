"""Two processes, one Redis, and a spoilt line before each: slow, resetting, silent, narrow."""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from realtime import Limits
from realtime.broker_redis import RedisBroker, RedisOptions
from realtime.testing import Kit, MemoryLog
from tests.realtime.families import LOG
from tests.realtime.served import served
from tests.realtime.waiting import until
from tests.support.audience import Listener, all_subscribed, listening
from tests.support.proxy import Proxy, Toxics
from tests.support.redis_server import LOOPBACK, RedisServer
from tests.support.report import SEED, Report, hours, sized

CHANNEL = "log:1"
CLIENTS = sized(20, 100)
EVENTS_PER_S = sized(25, 10)
STORM_S = hours(60, 7200)
PHASE_S = sized(3.0, 60.0)
HEAL_S = sized(30.0, 60.0)
LIMITS = Limits(
    ping_interval_s=sized(1, 25),
    pong_timeout_s=sized(0.8, 8),
    sweep_interval_s=0.5,
    recover_max=sized(300, 6000),
)
"""A phase of a minute is 600 events, and a line may stay black for several: the house's own 300
would tell every client behind it of a gap, as promised, and hide a gap that is a fault."""
HALF_OPEN_S = LIMITS.ping_interval_s + LIMITS.pong_timeout_s + 5
"""Ping, pong, at most two ticks of the clock for each, and the goodbye that nobody hears: 38 s
with the limits of the house."""
TOXICS = {
    "slow": Toxics(latency_s=0.3, jitter_s=0.2),
    "reset": Toxics(reset=0.05),
    "hole": Toxics(hole=True),
    "narrow": Toxics(bytes_per_s=2000),
    "fine": Toxics(),
}


class Network:
    """Two processes, one Redis, and a spoilt line before each of them."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.kits: list[Kit] = []
        self.lines: list[Proxy] = []
        self.urls: list[str] = []

    @asynccontextmanager
    async def up(self, server: RedisServer) -> AsyncIterator[None]:
        """Build it."""
        path, prefix = str(server.path), secrets.token_hex(4)
        async with AsyncExitStack() as stack:
            for number in range(2):
                to_redis = Proxy(lambda: asyncio.open_unix_connection(path), seed=SEED + number)
                await stack.enter_async_context(to_redis)
                options = RedisOptions(prefix=prefix, timeout_s=1, silence_s=1)
                broker = RedisBroker(f"redis://{LOOPBACK}:{to_redis.port}", options)
                kit = Kit([LOG], log=self.log, broker=broker, limits=LIMITS)
                house = await stack.enter_async_context(served(kit))
                port = urlsplit(house.url).port or 0
                to_house = Proxy.to_port(port, seed=SEED + 10 + number)
                await stack.enter_async_context(to_house)
                self.kits.append(kit)
                self.lines += [to_redis, to_house]
                self.urls.append(house.url.replace(str(port), str(to_house.port)))
            yield

    async def storm(self) -> None:
        """Spoil the lines one way after another, every line by its own dice."""
        dice = random.Random(SEED)
        names = list(TOXICS)
        end = time.monotonic() + STORM_S
        while time.monotonic() < end:
            dice.shuffle(names)
            for line, name in zip(self.lines, names, strict=False):
                line.toxics = TOXICS[name]
            await asyncio.sleep(PHASE_S)

    def heal(self) -> None:
        """Make every line fine."""
        for line in self.lines:
            line.toxics = TOXICS["fine"]

    async def publish(self) -> None:
        """A fact now and then, on either process; its transaction knows nothing of the network."""
        number = 0
        async with asyncio.TaskGroup() as announcing:
            while True:
                number += 1
                entry = self.log.commit(CHANNEL, time.monotonic())
                node = self.kits[number % 2].node
                # A slow Redis keeps one announcement waiting, not the next transaction.
                announcing.create_task(node.publish_log(CHANNEL, entry))
                await asyncio.sleep(1 / EVENTS_PER_S)


async def weather(redis: RedisServer, report: Report) -> None:
    """A storm over all lines while facts are published; then everybody must be whole again."""
    network = Network()
    async with network.up(redis):
        listeners = [
            Listener(network.urls[n % 2], CHANNEL, str(n), silence_s=HALF_OPEN_S)
            for n in range(CLIENTS)
        ]
        async with listening(listeners):
            work = asyncio.create_task(network.publish())
            await network.storm()
            network.heal()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            total = len(network.log.rows[CHANNEL])
            # Whoever sat behind a hole finds out by the silence alone: 38 s at full size.
            async with asyncio.timeout(HEAL_S):
                await all_subscribed(listeners, HEAL_S)
                await until(lambda: all(x.seen and x.seen[-1] == total for x in listeners), HEAL_S)
            report.events = total
            for listener in listeners:
                report.reconcile(listener.seen, range(listener.first_offset + 1, total + 1))
                report.latencies += listener.latencies
            report.extra |= {
                "reconnects": sum(x.connects - 1 for x in listeners),
                "recoveries": sum(x.recoveries for x in listeners),
                "gaps_told": sum(x.gaps for x in listeners),
            }
            report.demand("the storm was felt", report.extra["recoveries"])
            report.demand("everything was recovered", not report.extra["gaps_told"])


async def half_open(redis: RedisServer, report: Report) -> None:
    """A client behind a line that went silent, and how long the server kept it."""
    network = Network()
    async with network.up(redis):
        listener = Listener(network.urls[0], CHANNEL, "7")
        async with listening([listener]):
            node = network.kits[0].node
            assert node.state.connections == 1
            network.lines[1].toxics = TOXICS["hole"]
            silent = time.monotonic()
            async with asyncio.timeout(2 * HALF_OPEN_S):
                while node.state.connections:  # noqa: ASYNC110  it ends behind a socket
                    await asyncio.sleep(0.05)
            found_s = time.monotonic() - silent
            network.heal()
    report.clients = 1
    report.extra["found_s"] = round(found_s, 2)
    report.demand("found within ping and pong", found_s <= HALF_OPEN_S)
