"""Presence against flapping: a client that comes back within the grace was never away."""

import asyncio
from dataclasses import replace
from typing import Any, Self

import pytest

from realtime import Identity, Limits, MemoryBroker, MemoryBus
from realtime.testing import Client, Kit, ManualClock
from tests.realtime.families import LOG, NO_PINGS, VALUE
from tests.realtime.waiting import until

LEARNER = Identity(user="7", session="s7")
WATCHER = Identity(user="8", session="s8")
ROOM = "log:1"
LIMITS = Limits(ping_interval_s=NO_PINGS, presence_grace_s=3)


class House:
    """Two processes with one clock; somebody watches the room on the first."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.clock = ManualClock()
        self.bus = MemoryBus(clock=self.clock)
        self.one, self.two = (
            Kit([LOG, VALUE], broker=MemoryBroker(self.bus), limits=limits, clock=self.clock)
            for _ in range(2)
        )

    async def __aenter__(self) -> Self:
        await self.one.node.start()
        await self.two.node.start()
        self.watcher = await self.one.connected(WATCHER)
        await self.watcher.subscribe(ROOM)
        await self.watcher.assert_push(ROOM, "join")
        self.tasks = len(self.one.node._tasks)
        return self

    async def __aexit__(self, *_fault: object) -> None:
        await self.one.node.stop()
        await self.two.node.stop()

    async def enter(self, kit: Kit, identity: Identity = LEARNER) -> Client:
        """A client in the room."""
        client = await kit.connected(identity)
        await client.subscribe(ROOM)
        return client

    async def pass_s(self, seconds: float) -> None:
        """Let time pass, and both processes look at it."""
        self.clock.advance(seconds)
        await self.one.node._upkeep.tick()
        await self.two.node._upkeep.tick()

    async def lose(self, client: Client) -> None:
        """Cut the line and wait until the process has noticed."""
        before = len(self.bus.parked)
        await client.cut()
        await until(lambda: len(self.bus.parked) > before)

    def told(self) -> list[str]:
        """What the watcher heard of comings and goings."""
        frames, self.watcher.transport.frames = self.watcher.transport.frames, []
        pushes = [frame["push"] for frame in frames if "push" in frame]
        return [kind for push in pushes for kind in ("join", "leave") if kind in push]

    async def present(self) -> int:
        """How many clients the room shows."""
        stats = await self.watcher.command("presence_stats", channel=ROOM)
        number: int = stats["num_clients"]
        return number


@pytest.mark.parametrize("where", ["here", "elsewhere"])
async def test_back_within_the_grace_is_neither_leave_nor_join(where: str) -> None:
    """On this process and on another; the room shows one client all the time."""
    async with House() as house:
        client = await house.enter(house.one)
        await house.watcher.assert_push(ROOM, "join")
        await house.lose(client)
        await house.pass_s(2)
        assert await house.present() == 2
        back = await house.enter(house.one if where == "here" else house.two)
        await house.pass_s(10)
        assert (house.told(), await house.present()) == ([], 2)
        await house.lose(back)
        await house.pass_s(4)
        assert (await house.watcher.assert_push(ROOM, "leave"))["info"]["user"] == "7"
        assert await house.present() == 1


async def test_back_after_the_grace_is_both() -> None:
    """One leave at the end of the grace, one join with the return."""
    async with House() as house:
        client = await house.enter(house.one)
        await house.watcher.assert_push(ROOM, "join")
        await house.lose(client)
        await house.pass_s(3)
        await house.watcher.assert_push(ROOM, "leave")
        await house.enter(house.two)
        await house.watcher.assert_push(ROOM, "join")
        await house.pass_s(10)
        assert house.told() == []


async def test_who_wants_to_go_is_gone() -> None:
    """`unsubscribe` needs no grace; nor does a client without a name, who cannot come back."""
    async with House() as house:
        client = await house.enter(house.two)
        await client.unsubscribe(ROOM)
        await house.watcher.assert_push(ROOM, "leave")
        assert house.bus.parked == {}


async def test_two_windows_of_one_user_are_counted_singly() -> None:
    """One of two parked windows comes back: the other one leaves."""
    async with House() as house:
        windows = [await house.enter(house.one), await house.enter(house.two)]
        for window in windows:
            await window.cut()
        await until(lambda: sum(map(len, house.bus.parked.values())) == 2)
        house.told()
        await house.enter(house.two)
        await house.pass_s(4)
        await until(lambda: house.told() == ["leave"])
        assert await house.present() == 2


async def test_a_room_that_only_tells_of_comings_and_goings() -> None:
    """Without presence there is no lease, and the grace holds all the same."""
    family = replace(LOG, presence=False)
    bus, clock = MemoryBus(), ManualClock()
    async with Kit([family], broker=MemoryBroker(bus), clock=clock, limits=LIMITS) as house:
        watcher = await house.connected(WATCHER)
        await watcher.subscribe(ROOM)
        await watcher.assert_push(ROOM, "join")
        client = await house.connected(LEARNER)
        await client.subscribe(ROOM)
        await watcher.assert_push(ROOM, "join")
        await client.cut()
        await until(lambda: bool(bus.parked))
        assert not bus.leases
        clock.advance(4)
        await house.node._upkeep.tick()
        assert (await watcher.assert_push(ROOM, "leave"))["info"]["user"] == "7"


async def test_without_grace_a_lost_line_is_a_leave() -> None:
    """The bound is a setting; zero turns it off."""
    limits = Limits(ping_interval_s=NO_PINGS, presence_grace_s=0)
    async with House(limits) as house:
        client = await house.enter(house.one)
        await client.cut()
        await house.watcher.assert_push(ROOM, "leave")


async def test_an_outage_delays_the_leave() -> None:
    """Lost before or in an outage: told when it is over, unless the user is back by then."""
    async with House() as house:
        before = await house.enter(house.one)
        during = await house.enter(house.one, Identity(user="9", session="s9"))
        returning = await house.enter(house.one, Identity(user="10", session="s10"))
        await house.lose(before)
        house.bus.down = True
        for client in (during, returning):
            await client.cut()
        await until(lambda: len(house.one.node._presence._parked) == 3)
        await house.pass_s(10)
        house.told()
        await house.enter(house.one, Identity(user="10", session="s10"))
        house.bus.restore()
        await house.one.node._upkeep.sweep()
        await house.pass_s(1)
        left = [(await house.watcher.assert_push(ROOM, "leave"))["info"]["user"] for _ in "ab"]
        assert sorted(left) == ["7", "9"]
        assert (house.told(), await house.present()) == ([], 2)
        assert house.one.node._presence._parked == {}


async def test_an_outage_of_any_length_parks_so_many_and_no_more() -> None:
    """Those who come and go meanwhile would be remembered until it ends."""
    async with House(replace(LIMITS, parked_max=2)) as house:
        house.bus.down = True
        for number in range(4):
            client = await house.enter(house.one, Identity(str(number), f"s{number}"))
            await client.cut()
        await until(lambda: len(house.one.node._hub.connections) == 1)
        await until(lambda: len(house.one.node._tasks) <= house.tasks)
        assert len(house.one.node._presence._parked) == 2


async def test_a_claim_in_an_outage_is_a_join() -> None:
    """Nobody can tell who was there: better twice than never."""
    async with House() as house:
        client = await house.enter(house.one)
        await house.lose(client)
        house.bus.down = True
        await house.enter(house.two)
        house.bus.restore()
        await asyncio.sleep(0)
        await house.two.node._upkeep.sweep()
        assert await house.present() >= 2


async def test_many_leases_are_renewed_in_an_outage_with_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And a lease that is given back while it is renewed does not come to life again."""

    class Slow(MemoryBroker):
        async def presence_put(self, *args: Any) -> None:
            await go_on.wait()
            await super().presence_put(*args)

    bus, go_on = MemoryBus(), asyncio.Event()
    go_on.set()
    async with Kit([LOG], broker=Slow(bus), limits=LIMITS) as house:
        clients = [await house.connected(Identity(str(n), f"s{n}")) for n in range(40)]
        for client in clients:
            await client.subscribe(ROOM)
        bus.down = True
        await house.node._presence.renew_now()
        lines = [r.message for r in caplog.records if "lease" in r.message]
        assert lines == ["realtime.leases_not_renewed count=40"]
        bus.down = False
        go_on.clear()
        renewing = asyncio.create_task(house.node._presence.renew_now())
        await asyncio.sleep(0)
        await clients[0].unsubscribe(ROOM)
        assert len(bus.leases[ROOM]) == 39
        go_on.set()
        await renewing
        assert len(bus.leases[ROOM]) == 39


async def test_a_channel_without_presence_parks_nothing() -> None:
    """Neither lease nor note."""
    async with House() as house:
        client = await house.two.connected(LEARNER)
        await client.subscribe("value:1")
        await client.cut()
        assert house.bus.parked == {}
