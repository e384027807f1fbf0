"""VALUE channels: the newest value, soon; never an old one after a new one."""

import time

from realtime import Limits, MemoryBroker, MemoryBus, Snapshot
from realtime.broker import Message
from realtime.model import TakeSnapshot
from realtime.protocol import Frame
from realtime.testing import Client, Kit, ManualClock
from realtime.value import ValueChannel
from tests.realtime.families import VALUE, shelf, value, with_snapshot
from tests.realtime.waiting import until

FAST = Limits(value_interval_s=0.02, sweep_interval_s=0.02, outage_sweep_interval_s=0.02)


def house_with(take: TakeSnapshot | None = None, bus: MemoryBus | None = None) -> Kit:
    family = with_snapshot(VALUE, take) if take else VALUE
    return Kit([family], broker=MemoryBroker(bus), limits=FAST)


def seen(client: Client) -> list[int]:
    pushes = [f["push"] for f in client.transport.frames if "push" in f]
    return [p["pub"]["data"] for p in pushes]


async def test_the_first_change_leaves_at_once_and_the_rest_conflated() -> None:
    """Of a burst a client sees the first and the last."""
    async with house_with() as house:
        client = await house.connected()
        await client.subscribe("value:1")
        began = time.monotonic()
        for number in range(1, 50):
            await house.node.publish_value("value:1", b"%d" % number, number)
        intervals = (time.monotonic() - began) / FAST.value_interval_s
        await until(lambda: seen(client)[-1:] == [49])
        assert seen(client)[0] == 1
        # A busy machine may need more than one interval for the burst.
        assert len(seen(client)) <= 2 + intervals


async def test_at_most_five_a_second() -> None:
    """The interval counts from the last delivery, by the channel's own clock."""

    class Ear:
        def __init__(self) -> None:
            self.frames: list[bytes] = []

        def push(self, frame: Frame) -> None:
            self.frames.append(frame.data)

        def lose_channel(self, channel: str, reason: object) -> None: ...

    clock, ear = ManualClock(), Ear()
    channel = ValueChannel("value:1", 0.2, clock)
    assert channel.idle
    assert channel.admit(ear, None) is None
    channel.receive(Message.of(value(1)))
    channel.receive(Message.of(value(2)))
    clock.advance(0.19)
    channel.receive(Message.of(value(3)))
    assert len(ear.frames) == 1
    channel.stop()
    clock.advance(0.02)
    channel.receive(Message.of(value(4)))
    assert len(ear.frames) == 2
    channel.stop()


async def test_an_old_value_never_follows_a_new_one() -> None:
    """Versions decide, not arrival."""
    async with house_with() as house:
        client = await house.connected()
        await client.subscribe("value:1")
        for number in (5, 4, 5, 3):
            await house.node.publish_value("value:1", b"%d" % number, number)
        await house.node.publish_value("value:1", b"6", 6)
        await until(lambda: len(seen(client)) == 2)
        assert seen(client) == [5, 6]


async def test_the_state_before_the_first_change_is_older_than_the_change() -> None:
    """A snapshot of version 0 that was read just before version 1 was made, and arrives after it:
    neither those who listen nor who subscribes then is thrown back to it."""
    async with house_with(shelf(Snapshot(b"0"))) as house:
        client = await house.connected()
        await client.subscribe("value:1")
        await house.node.publish_value("value:1", b"1", 1)
        await until(lambda: seen(client) == [1])
        late = Message.of(value(0))
        house.node._channels.receive("value:1", late)
        again = await house.connected()
        assert (await again.subscribe("value:1"))["data"] == 1
        await house.node.publish_value("value:1", b"2", 2)
        await until(lambda: len(seen(client)) == 2)
        assert seen(client) == [1, 2]


async def test_the_newest_value_comes_with_the_subscription() -> None:
    """Whichever is newer: the snapshot or what was seen here; a snapshot is news for others."""
    snapshots = shelf(None, Snapshot(b"3", version=3), Snapshot(b"1", version=1))
    async with house_with(snapshots) as house:
        one, two, three = [await house.connected() for _ in range(3)]
        assert "data" not in await one.subscribe("value:1")
        assert (await two.subscribe("value:1"))["data"] == 3
        assert (await three.subscribe("value:1"))["data"] == 3
        await until(lambda: seen(one) == [3])
        await house.node.publish_value("value:1", b"3", 3)
        await one.assert_push("value:1")
        await one.assert_no_push("value:1")


async def test_values_without_versions_are_taken_as_they_come() -> None:
    """Then the snapshot is the newest by definition."""
    async with house_with(shelf(Snapshot(b'"state"'))) as house:
        client = await house.connected()
        await client.subscribe("value:1")
        await house.node.publish_value("value:1", b"1", 0)
        await client.assert_push("value:1")
        again = await house.connected()
        assert (await again.subscribe("value:1"))["data"] == "state"


async def test_a_value_published_in_an_outage_arrives_afterwards() -> None:
    """Locally at once, elsewhere when the broker is back; only the newest."""
    bus = MemoryBus()
    async with house_with(bus=bus) as house, house_with(bus=bus) as other:
        here, there = await house.connected(), await other.connected()
        await here.subscribe("value:1")
        await there.subscribe("value:1")
        bus.down = True
        for number in (1, 2, 3):
            await house.node.publish_value("value:1", b"%d" % number, number)
        await until(lambda: bool(seen(here)) and seen(here)[-1] == 3)
        assert seen(there) == []
        bus.restore()
        await until(lambda: seen(there) == [3])


async def test_after_an_outage_values_are_read_again() -> None:
    """A value whose publisher died in the outage is found by its snapshot."""
    bus = MemoryBus()
    snapshots = shelf(Snapshot(b"1", version=1), Snapshot(b"2", version=2), None)
    async with house_with(snapshots, bus) as house:
        client = await house.connected()
        await client.subscribe("value:1")
        bus.restore()
        await until(lambda: seen(client) == [2])
        bus.restore()
        await client.unsubscribe("value:1")
        bus.restore()
        await house.node._upkeep.sweep()
        assert seen(client) == [2]


async def test_kept_values_are_bounded() -> None:
    """Beyond the bound only channels already kept are renewed."""
    bus = MemoryBus()
    limits = Limits(pending_controls=1, sweep_interval_s=60, outage_sweep_interval_s=60)
    async with Kit([VALUE], broker=MemoryBroker(bus), limits=limits) as house:
        bus.down = True
        for channel in ("value:1", "value:2", "value:1"):
            await house.node.publish_value(channel, b"1", 1)
        assert list(house.node._upkeep._values) == ["value:1"]
