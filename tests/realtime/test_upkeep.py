"""What a node repairs by itself, and that one repair never stands in another one's way."""

import logging

import pytest

from realtime import Identity, Limits, MemoryBroker, MemoryBus, Snapshot
from realtime.testing import Kit, MemoryLog
from tests.realtime.families import FAMILIES, LOG, VALUE, with_snapshot

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
        assert "sweep_failed" in caplog.text
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
