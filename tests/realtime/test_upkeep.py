"""What a node repairs by itself, and that one repair never stands in another one's way."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

import pytest

from realtime import Identity, Limits, MemoryBroker, MemoryBus, Snapshot
from realtime.presence import TOGETHER
from realtime.testing import Kit, ManualClock, MemoryLog
from tests.realtime.families import FAMILIES, LOG, VALUE, with_snapshot
from tests.realtime.waiting import until

LEARNER = Identity(user="7", session="s7")
LIMITS = Limits(sweep_interval_s=3600, outage_sweep_interval_s=3600)


async def test_what_waits_for_the_broker_does_not_stop_the_log() -> None:
    """In an outage an order and a value are kept; a fact of another process still arrives."""
    bus, log = MemoryBus(), MemoryLog()
    async with Kit(FAMILIES, log=log, broker=MemoryBroker(bus), limits=LIMITS) as house:
        client = await house.connected(LEARNER)
        await client.subscribe("log:1")
        bus.down = True
        await house.node.disconnect_user("8")
        await house.node.publish_value("value:1", b"1", 1)
        log.commit("log:1", "elsewhere")
        await house.node._upkeep.sweep()
        assert (await client.assert_push("log:1"))["data"] == "elsewhere"


class Stuck(MemoryBroker):
    """Connected, but a lease takes for ever: slow, not dead."""

    is_stuck = False

    async def presence_put(self, channel: str, leases: Mapping[str, bytes], ttl_s: float) -> None:
        if self.is_stuck:
            await asyncio.get_running_loop().create_future()
        await super().presence_put(channel, leases, ttl_s)


async def test_a_slow_broker_does_not_stop_the_deadlines() -> None:
    """Leases that are not renewed hold up nobody's ping, and no stranger stays for it."""
    broker = Stuck()
    limits = Limits(presence_refresh_s=0, connect_timeout_s=1.5)
    async with Kit(FAMILIES, broker=broker, limits=limits) as house:
        client = await house.connected(LEARNER)
        await client.subscribe("log:1")
        broker.is_stuck = True
        stranger = house.client()
        assert (await stranger.assert_closed())[0] == 3502


async def test_a_slow_broker_does_not_stop_the_log() -> None:
    """After an outage the repair of leases hangs: a fact of another process still arrives."""
    broker, log = Stuck(), MemoryLog()
    limits = Limits(sweep_interval_s=0.05)
    async with Kit(FAMILIES, broker=broker, log=log, limits=limits) as house:
        client = await house.connected(LEARNER)
        await client.subscribe("log:1")
        broker.is_stuck = True
        broker.bus.restore()
        await until(lambda: not house.node._upkeep._restored)
        log.commit("log:1", "elsewhere")
        assert (await client.assert_push("log:1"))["data"] == "elsewhere"


async def test_a_log_that_does_not_answer_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    """A question that hangs ends by itself, and the next one is answered."""

    class Hanging(MemoryLog):
        is_hanging = True

        async def heads(self, channels: Sequence[str]) -> Mapping[str, tuple[int, str]]:
            if self.is_hanging:
                self.is_hanging = False
                await asyncio.get_running_loop().create_future()
            return await super().heads(channels)

    log = Hanging()
    limits = Limits(sweep_interval_s=0.05, command_timeout_s=0.2)
    async with Kit(FAMILIES, log=log, limits=limits) as house:
        client = await house.connected(LEARNER)
        await client.subscribe("log:1")
        log.commit("log:1", "elsewhere")
        assert (await client.assert_push("log:1"))["data"] == "elsewhere"
    assert "step=log heads" in caplog.text


async def test_a_standstill_of_the_process_is_not_held_against_the_clients() -> None:
    """What they said meanwhile is read before they are judged; one excuse, not two in a row."""
    clock = ManualClock()
    async with Kit(FAMILIES, clock=clock) as house:
        stranger, upkeep = house.client(), house.node._upkeep
        clock.advance(30)
        await upkeep._look()
        assert stranger.transport.closed is None
        clock.advance(30)
        await upkeep._look()
        assert (await stranger.assert_closed())[0] == 3502


def test_deadlines_are_looked_at_when_a_second_has_come() -> None:
    """The wheel rounds up to whole seconds: a look between two of them would be a second late."""
    clock = ManualClock()
    upkeep = Kit(FAMILIES, clock=clock).node._upkeep
    for past, pause in ((0, 1), (0.25, 0.75), (0.5, 0.25), (0.24, 0.05)):
        clock.advance(past)
        assert upkeep._until_next_second() == pytest.approx(pause)


async def test_leases_of_one_channel_are_renewed_together() -> None:
    """A crowd costs the broker a few steps, not one for each head."""
    sizes: list[int] = []

    class Counting(MemoryBroker):
        async def presence_put(
            self, channel: str, leases: Mapping[str, bytes], ttl_s: float
        ) -> None:
            sizes.append(len(leases))
            await super().presence_put(channel, leases, ttl_s)

    async with Kit(FAMILIES, broker=Counting(), limits=LIMITS) as house:
        for number in range(TOGETHER + 1):
            who = Identity(user=str(number), session=f"s{number}")
            await (await house.connected(who)).subscribe("log:1")
        sizes.clear()
        await house.node._presence.renew_now()
        assert sizes == [TOGETHER, 1]


async def test_a_repair_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """The database was away when messages flowed again: the value comes with the next sweep."""
    bus = MemoryBus()
    state: list[Snapshot | Exception] = [Snapshot(b"1", version=1)]

    async def take(_identity: Identity, _channel: str) -> Snapshot:
        if isinstance(state[0], Exception):
            raise state[0]
        return state[0]

    family = with_snapshot(VALUE, take)
    async with Kit([family, LOG], broker=MemoryBroker(bus), limits=LIMITS) as house:
        client = await house.connected(LEARNER)
        await client.subscribe("value:1")
        upkeep = house.node._upkeep
        upkeep._restored = True
        state[0] = OSError("away")
        with caplog.at_level(logging.WARNING):
            await upkeep.sweep()
        assert "upkeep_failed" in caplog.text
        state[0] = Snapshot(b"2", version=2)
        await upkeep.sweep()
        assert (await client.assert_push("value:1"))["data"] == 2


async def test_a_newer_value_waits_in_the_place_of_an_older() -> None:
    """Only the newest of a channel is sent when the broker is back."""
    bus = MemoryBus()
    async with (
        Kit(FAMILIES, broker=MemoryBroker(bus), limits=LIMITS) as house,
        Kit(FAMILIES, broker=MemoryBroker(bus), limits=LIMITS) as other,
    ):
        client = await other.connected(LEARNER)
        await client.subscribe("value:1")
        bus.down = True
        for version in (1, 2, 3):
            await house.node.publish_value("value:1", b"%d" % version, version)
        bus.down = False
        await house.node._upkeep.sweep()
        assert (await client.assert_push("value:1"))["data"] == 3
        await client.assert_no_push("value:1")
