"""R3: a random life of an audience: each client sees everything once and in order, or is told."""

import asyncio
import contextlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from realtime import Identity, Limits, MemoryBroker, MemoryBus, Publication, RealtimeError, Snapshot
from realtime.phase import Phase
from realtime.testing import Client, Kit, MemoryLog
from tests.realtime.families import LOG, offsets, with_snapshot
from tests.realtime.waiting import until
from tests.support.report import SEED, Report, hours, sized

CHANNEL = "log:1"
LIMITS = Limits(
    fill_retry_s=0.0005,
    fill_retry_max_s=0.001,
    fill_attempts=3,
    sweep_interval_s=3600,
    outage_sweep_interval_s=3600,
    recover_max=6,
    window_size=4,
    pending_max=3,
    outgoing_max_frames=6,
    close_timeout_s=0.001,
)
STEPS = (
    *("publish", "publish", "publish", "publish", "breathe", "breathe", "lose", "sweep"),
    *("cut", "back", "back", "back", "stall", "outage", "kill", "restore", "restore"),
    *("trim", "epoch"),
)
RUNS, STEPS_MAX = hours(500, 100_000), sized(50, 100)
counted: Counter[str] = Counter()
"""What the lives of one run were made of: a model that never recovers would prove nothing."""


class Reader:
    """A client that keeps its position over reconnects, as SDKs do, and checks every step."""

    def __init__(self, kit: Kit, log: MemoryLog) -> None:
        self.kit = kit
        self.log = log
        self.client: Client | None = None
        self.position: tuple[int, str] | None = None

    async def come_back(self) -> None:
        """Connect and subscribe from the last known position."""
        if self.is_deaf():
            await self.cut()
        if self.client is None:
            self.client = await self.kit.connected(Identity(user="7"))
        elif await self._ask("ping") is not None:
            self.read()  # what was sent before the new subscription counts first
        options: dict[str, Any] = {}
        if self.position is not None:
            options = {"recover": True, "offset": self.position[0], "epoch": self.position[1]}
        with contextlib.suppress(RealtimeError):  # temporary: the client tries again later
            result = await self._ask("subscribe", channel=CHANNEL, **options)
            if result is not None:
                self._take_result(result)

    def is_deaf(self) -> bool:
        """Whether its line is stalled, or was closed because it was too slow."""
        client = self.client
        if client is None:
            return False
        return client.transport.stall or client.connection.session.phase is Phase.CLOSED

    async def _ask(self, verb: str, **body: Any) -> dict[str, Any] | None:
        """Send a command; None when the connection ended before the answer."""
        assert self.client is not None
        asked = asyncio.ensure_future(self.client.command(verb, **body))
        await asyncio.wait({asked, self.client._runner}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            return asked.result()
        asked.cancel()
        await asyncio.wait({asked})
        return None

    async def is_level(self, head: tuple[int, str]) -> bool:
        """Come back if need be, take everything; tell whether this is the head."""
        if self.client is None or self.is_deaf() or not self.read():
            await self.come_back()
        if await self._ask("ping") is not None:
            self.read()
        return self.position == head

    def _take_result(self, result: dict[str, Any]) -> None:
        epoch, found = result["epoch"], offsets(result)
        counted["recovered" if result.get("recovered") else "told"] += self.position is not None
        if result.get("recovered"):
            assert self.position is not None
            assert self.position[1] == epoch, "recovered over an epoch"
            assert found == list(range(self.position[0] + 1, self.position[0] + 1 + len(found)))
        elif found:
            last = result["offset"]
            assert found == list(range(last - len(found) + 1, last + 1))
        self.position = (result.get("offset", 0), epoch)

    def read(self) -> bool:
        """Take what was pushed; returns whether the subscription is still alive."""
        assert self.client is not None
        frames, self.client.transport.frames = self.client.transport.frames, []
        for frame in frames:
            push = frame.get("push", {})
            if "pub" in push:
                assert self.position is not None
                expected = self.position[0] + 1
                assert push["pub"]["offset"] == expected, (push, self.position)
                assert push["pub"]["data"] == expected
                self.position = (expected, self.position[1])
                counted["delivered"] += 1
        return CHANNEL in self.client.connection.memberships

    async def cut(self) -> None:
        """Lose the line; what was sent before counts."""
        if self.client is not None:
            self.read()
            await self.client.cut()
            self.read()
            self.client = None


class World:
    """Two processes, one log, one bus, three readers."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.bus = MemoryBus()

        async def take(_identity: Identity, channel: str) -> Snapshot:
            offset, epoch = await self.log.head(channel)
            return Snapshot(b"%d" % offset, offset, epoch)

        family = with_snapshot(LOG, take)
        self.kits = [
            Kit([family], log=self.log, broker=MemoryBroker(self.bus), limits=LIMITS)
            for _ in range(2)
        ]
        self.readers = [Reader(self.kits[n % 2], self.log) for n in range(3)]
        self.epochs = 1

    async def step(self, name: str, number: int) -> None:
        """Do one thing that happens in a life."""
        await getattr(self, f"step_{name}")(number)

    async def step_publish(self, number: int) -> None:
        await self.kits[number % 2].node.publish_log(CHANNEL, self._commit())

    async def step_lose(self, _number: int) -> None:
        self._commit()

    async def step_outage(self, _number: int) -> None:
        self.bus.down = True

    async def step_kill(self, _number: int) -> None:
        self.bus.down = True
        self.bus.lose()

    async def step_stall(self, number: int) -> None:
        """A client that stops reading: what waits for it is bounded, and it is sent away."""
        client = self.readers[number % 3].client
        if client is not None:
            self.readers[number % 3].read()
            client.transport.stall = True

    async def step_restore(self, _number: int) -> None:
        self.bus.restore()

    async def step_trim(self, number: int) -> None:
        self.log.trimmed[CHANNEL] = max(0, self._head() - number)

    async def step_epoch(self, _number: int) -> None:
        self.epochs += 1
        self.log.epoch = f"log{self.epochs}"
        self.log.rows.clear()
        self.log.trimmed.clear()
        await self.settle()

    async def step_cut(self, number: int) -> None:
        await self.readers[number % 3].cut()

    async def step_back(self, number: int) -> None:
        await self.readers[number % 3].come_back()

    async def step_sweep(self, number: int) -> None:
        await self.kits[number % 2].node._upkeep.sweep()

    async def step_breathe(self, _number: int) -> None:
        await asyncio.sleep(0)

    def _head(self) -> int:
        return len(self.log.rows.get(CHANNEL, []))

    def _commit(self) -> Publication:
        return self.log.commit(CHANNEL, self._head() + 1)

    async def settle(self) -> None:
        """Let everybody find out where the log stands."""
        for kit in self.kits:
            await kit.node._upkeep.sweep()
            for channel in kit.node._channels.ordered(LOG.delivery).values():
                channel.suspect()
        await until(lambda: all(self._is_level(kit) for kit in self.kits))

    def _is_level(self, kit: Kit) -> bool:
        head = (self._head(), self.log.epoch)
        channels = kit.node._channels.ordered(LOG.delivery).values()
        return all((c.last, c.epoch) == head and not c._suspect for c in channels)

    async def finish(self) -> None:
        """In the end the network heals: everyone reaches the head."""
        self.bus.restore()
        await self.settle()
        for reader in self.readers:
            await self._reach_head(reader)

    async def _reach_head(self, reader: Reader) -> None:
        head = (self._head(), self.log.epoch)
        for _ in range(5):
            if await reader.is_level(head):
                return
        raise AssertionError(f"{reader.position} never reached {head}")


@pytest.mark.chaos
@pytest.mark.timeout(sized(240, 4 * 3600))
def test_everything_once_in_order_or_told() -> None:
    """The promise of a LOG channel, under everything that can go wrong around it."""
    counted.clear()
    steps = st.tuples(st.sampled_from(STEPS), st.integers(0, 5))

    @seed(SEED)
    @settings(max_examples=RUNS, deadline=None, database=None)
    @given(st.lists(steps, min_size=STEPS_MAX, max_size=STEPS_MAX))
    def lives(steps: list[tuple[str, int]]) -> None:
        asyncio.run(live(steps))

    lives()
    report = Report("R3", events=counted["delivered"], clients=3 * counted["lives"])
    report.extra = {"recovered": counted["recovered"], "told": counted["told"]}
    report.demand("all kinds of ends were met", counted["recovered"] and counted["told"])
    report.conclude()


async def live(steps: list[tuple[str, int]]) -> None:
    """One life, to its end; every reader checks every step."""
    world = World()
    counted["lives"] += 1
    for kit in world.kits:
        await kit.node.start()
    try:
        for reader in world.readers:
            await reader.come_back()
        for name, number in steps:
            await world.step(name, number)
            for reader in world.readers:
                if reader.client is not None:
                    reader.read()
        await world.finish()
    finally:
        for kit in world.kits:
            await kit.node.stop()
