"""How a node ends connections, and itself."""

import asyncio

import pytest

from realtime import (
    Identity,
    Limits,
    MemoryBroker,
    MemoryBus,
)
from realtime.testing import Kit, ManualClock, MemoryTransport
from tests.realtime.families import (
    OWN,
    RPC,
    VALUE,
)
from tests.realtime.houses import LEARNER, kit
from tests.realtime.waiting import until


class TestRevocation:
    async def test_a_session_ends_everywhere(self) -> None:
        """Logout reaches the session's sockets on every process, and no other."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus)) as house, kit(broker=MemoryBroker(bus)) as other:
            here, there = await house.connected(LEARNER), await other.connected(LEARNER)
            second = await other.connected(Identity(user="7", session="other"))
            await house.node.disconnect_session("s7")
            assert (await here.assert_closed())[0] == 3503
            assert (await there.assert_closed())[0] == 3503
            assert await second.rpc("who") == "7"
            await house.node.disconnect_user("7")
            assert (await second.assert_closed())[0] == 3503

    async def test_an_order_in_an_outage_is_kept(self) -> None:
        """Here it is obeyed at once, elsewhere when the broker is back."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus)) as house, kit(broker=MemoryBroker(bus)) as other:
            here, there = await house.connected(LEARNER), await other.connected(LEARNER)
            bus.down = True
            await house.node.disconnect_user("7")
            await here.assert_closed()
            assert await there.rpc("who") == "7"
            bus.restore()
            assert (await there.assert_closed())[0] == 3503

    @pytest.mark.parametrize("token", ["", "7"])
    async def test_a_connect_on_its_way_does_not_outlive_a_logout(self, token: str) -> None:
        """Checked before the logout, connected after it: refused, by cookie and by token."""
        checking, go_on = asyncio.Event(), asyncio.Event()

        async def verify(_token: str) -> Identity:
            checking.set()
            await go_on.wait()
            return LEARNER

        async with kit(verify_token=verify) as house:
            client = house.client(LEARNER)
            if token:
                client.send('{"id":1,"connect":{"token":"7"}}')
                await checking.wait()
            await house.node.disconnect_session("s7")
            go_on.set()
            if not token:
                client.send('{"id":1,"connect":{}}')
            assert (await client.assert_closed())[0] == 3503
            again = house.client()
            await again.connect("7")
            checking.clear()
            go_on.clear()
            again.send('{"id":9,"refresh":{"token":"7"}}')
            await checking.wait()
            house.node._hub.end("", "7", house.node._clock())
            go_on.set()
            assert (await again.assert_closed())[0] == 3503

    async def test_a_cookie_read_before_a_logout_counts_as_read_then(self) -> None:
        """Between the look-up and the accept a logout may arrive."""
        async with kit() as house:
            node, transport = house.node, MemoryTransport()
            checked_at = node.now()
            await node.disconnect_session("s7")
            connection = node.open(transport, identity=LEARNER, checked_at=checked_at)
            connection.receive('{"id":1,"connect":{}}')
            await connection.run()
            assert transport.closed == (3503, "force disconnect")

    async def test_an_end_during_the_check_leaves_no_trace(self) -> None:
        """A connection that closed while its token was read is in no index."""
        checking, go_on = asyncio.Event(), asyncio.Event()

        async def verify(_token: str) -> Identity:
            checking.set()
            await go_on.wait()
            return LEARNER

        async with kit(verify_token=verify) as house:
            client = house.client()
            client.transport.stall = True
            client.send('{"id":1,"connect":{"token":"7"}}')
            await checking.wait()
            client.send("{")
            go_on.set()
            await until(lambda: len(client.connection._tasks) == 0)
            assert house.node._hub.count_of_user("7") == 0
            client.transport.stall = False
            await client.cut()

    async def test_nobody_is_not_everybody(self) -> None:
        """An order for an empty name touches no anonymous connection."""
        async with kit() as house:
            client = await house.connected()
            await house.node.disconnect_user("")
            await house.node.disconnect_session("")
            await client.command("ping")


class TestLife:
    async def test_stop_sends_clients_elsewhere(self) -> None:
        """3001: come back; a late comer hears the same, a deaf one is dropped."""
        house = kit(limits=Limits(close_timeout_s=0.02, write_timeout_s=0.02))
        await house.node.start()
        client, deaf = await house.connected(LEARNER), await house.connected(LEARNER)
        await client.subscribe("log:1")
        deaf.transport.stall = True
        assert house.node.state.connections == 2
        await house.node.stop()
        assert await client.assert_closed() == (3001, "shutdown")
        assert deaf.transport.aborted
        assert await house.client().assert_closed() == (3001, "shutdown")

    async def test_the_state_shows_the_broker(self) -> None:
        """Readiness can say what is wrong."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus)) as house:
            assert house.node.state.connected
            bus.down = True
            assert (house.node.state.connected, house.node.state.last_error) == (False, "down")

    async def test_services_may_bring_their_channels_later(self) -> None:
        """Registered before the start, they are served like the others."""
        house = Kit([VALUE])
        house.node.register([OWN], RPC)
        async with house:
            client = await house.connected(LEARNER)
            await client.subscribe("user:7")
            assert await client.rpc("who") == "7"

    async def test_an_idle_channel_lingers_and_is_closed(self) -> None:
        """A page reload finds the channel warm; later it costs nothing any more."""
        clock = ManualClock()
        bus = MemoryBus()
        broker = MemoryBroker(bus)
        async with kit(broker=broker, clock=clock) as house:
            client = await house.connected(LEARNER)
            for channel in ("log:1", "value:1", "tail:1"):
                await client.subscribe(channel)
            await house.node._upkeep.tick()
            for channel in ("log:1", "value:1", "tail:1"):
                await client.unsubscribe(channel)
            await house.node._upkeep.tick()
            clock.advance(4)
            await client.subscribe("log:1")
            await house.node._upkeep.tick()
            clock.advance(4)
            await house.node._upkeep.tick()
            assert broker.channels == {"log:1"}
            assert house.node.state.channels == 1
