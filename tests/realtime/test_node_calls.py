"""Calls, presence and history, as a node's clients see them."""

import logging

import pytest

from realtime import (
    Identity,
    Limits,
    MemoryBroker,
    MemoryBus,
    RealtimeError,
)
from realtime.testing import ManualClock, MemoryLog
from tests.realtime.families import (
    NO_PINGS,
)
from tests.realtime.houses import LEARNER, kit
from tests.realtime.waiting import until


class TestCalls:
    async def test_parameters_and_results_are_json(self) -> None:
        """What the method returns is the answer."""
        async with kit() as house:
            client = await house.connected(LEARNER)
            assert await client.rpc("echo", {"a": [1, "ü"]}) == {"a": [1, "ü"]}
            assert await client.rpc("echo") is None

    async def test_refusals_and_crashes(self, caplog: pytest.LogCaptureFixture) -> None:
        """A refusal keeps its code; a crash tells the client nothing and the log everything."""
        async with kit() as house:
            client = await house.connected(LEARNER)
            for method, code in (("refuse", 409), ("crash", 100), ("missing", 104)):
                with (
                    caplog.at_level(logging.ERROR, "realtime"),
                    pytest.raises(RealtimeError) as refused,
                ):
                    await client.rpc(method)
                assert refused.value.code == code
        assert "ZeroDivisionError" in caplog.text

    async def test_the_application_maps_its_own_errors(self) -> None:
        """`map_error` decides what its errors mean on the wire."""
        house = kit()
        house.node._commands._map_error = lambda _: RealtimeError(418, "teapot")
        async with house:
            client = await house.connected(LEARNER)
            with pytest.raises(RealtimeError) as refused:
                await client.rpc("crash")
            assert refused.value.code == 418

    async def test_anonymous_calls_are_refused(self) -> None:
        """101 before anything else."""
        async with kit() as house:
            with pytest.raises(RealtimeError) as refused:
                await (await house.connected()).rpc("missing")
            assert refused.value.code == 101


class TestPresenceAndHistory:
    async def test_who_is_here_over_all_processes(self) -> None:
        """Presence lists connections, the stats count users; join and leave are told."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus)) as house, kit(broker=MemoryBroker(bus)) as other:
            one = await house.connected(LEARNER)
            await one.subscribe("log:1")
            two = await other.connected(Identity(user="8"))
            await two.subscribe("log:1")
            joined = await one.assert_push("log:1", "join")
            while joined["info"]["user"] != "8":
                joined = await one.assert_push("log:1", "join")
            there = (await one.command("presence", channel="log:1"))["presence"]
            assert sorted(info["user"] for info in there.values()) == ["7", "8"]
            stats = await two.command("presence_stats", channel="log:1")
            assert stats == {"num_clients": 2, "num_users": 2}
            await two.cut()
            assert (await one.assert_push("log:1", "leave"))["info"]["user"] == "8"
            await until(lambda: len(bus.leases["log:1"]) == 1)

    async def test_leases_are_renewed_while_a_client_stays(self) -> None:
        """Time alone ends nobody's presence, but the lease of a dead process ends."""
        clock = ManualClock()
        bus = MemoryBus(clock=clock)
        limits = Limits(ping_interval_s=NO_PINGS)
        house = kit(broker=MemoryBroker(bus), clock=clock, limits=limits)
        async with house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            for _ in range(5):
                clock.advance(25)
                await house.node._upkeep.tick()
            assert len((await client.command("presence", channel="log:1"))["presence"]) == 1
            clock.advance(61)
            assert (await client.command("presence", channel="log:1"))["presence"] == {}

    async def test_presence_where_there_is_none(self) -> None:
        """108 for a family without presence, temporary 108 in an outage."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus)) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("value:1")
            await client.subscribe("log:1")
            with pytest.raises(RealtimeError) as refused:
                await client.command("presence", channel="value:1")
            assert (refused.value.code, refused.value.temporary) == (108, False)
            bus.down = True
            with pytest.raises(RealtimeError) as refused:
                await client.command("presence", channel="log:1")
            assert (refused.value.code, refused.value.temporary) == (108, True)
            await client.unsubscribe("log:1")  # neither lease nor leave push can be sent

    async def test_history_of_ordered_channels(self) -> None:
        """Position alone, a page, a page after a position; another epoch is unrecoverable."""
        log = MemoryLog()
        for number in range(5):
            log.commit("log:1", number)
        async with kit(log=log) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            await client.subscribe("value:1")

            async def ask(**body: object) -> dict[str, object]:
                return await client.command("history", **{"channel": "log:1", **body})

            assert await ask() == {"publications": [], "offset": 5, "epoch": "log1"}
            page = await ask(limit=2, since={"offset": 1, "epoch": "log1"})
            assert page["publications"] == [{"data": 1, "offset": 2}, {"data": 2, "offset": 3}]
            assert (await ask(limit=1))["publications"] == [{"data": 0, "offset": 1}]
            for body, code in (
                ({"since": {"offset": 1, "epoch": "x"}}, 112),
                ({"channel": "value:1"}, 108),
            ):
                with pytest.raises(RealtimeError) as refused:
                    await ask(**body)
                assert refused.value.code == code
