"""What seldom happens, and must be right then: one step of each part of the library by itself."""

import asyncio
import os
import socket
import time
from array import array
from collections.abc import Sequence

from centrifuge.fossil import apply_delta

from realtime import (
    ChannelFamily,
    Delivery,
    Identity,
    Limits,
    MemoryBroker,
    MemoryBus,
    Publication,
)
from realtime.audience import Audience
from realtime.codes import INSUFFICIENT_STATE, Unsubscribed
from realtime.delta import Deltas, difference
from realtime.draining import drain
from realtime.fossil import create
from realtime.protocol import Frame
from realtime.sending import send_in_python
from realtime.testing import Kit, ManualClock, MemoryLog, MemoryTransport
from realtime.unidirectional import UnidirectionalTransport
from realtime.upkeep import AT_ONCE
from realtime.value import ValueChannel
from realtime.writer import Writer
from tests.realtime.families import FAMILIES, everybody
from tests.realtime.waiting import until

LEARNER = Identity(user="7", session="s7")


class Listener:
    """A follower inside the process: it has no wire."""

    def __init__(self) -> None:
        self.heard: list[Frame] = []
        self.lost: list[Unsubscribed] = []

    def push(self, frame: Frame) -> None:
        self.heard.append(frame)

    def lose_channel(self, _channel: str, reason: Unsubscribed) -> None:
        self.lost.append(reason)


def test_an_audience_without_sockets() -> None:
    """Everybody is pushed to one by one; watchers are members only."""
    audience, one, other = Audience("t:1"), Listener(), Listener()
    audience.add(one)
    audience.watch(one)
    audience.tell_watchers_only()
    audience.watch(other)
    audience.tell(Frame(b"{}"))
    assert not one.heard
    assert not other.heard
    audience.broadcast(Frame(b"{}"))
    assert len(one.heard) == 1
    audience.dismiss(INSUFFICIENT_STATE)
    assert one.lost == [INSUFFICIENT_STATE]
    assert not audience.members


class TestDeltas:
    def test_two_bases_have_two_frames(self) -> None:
        """Just after somebody joined: the others have another base."""
        deltas = Deltas("t:1")
        old, new = Publication(b'"aaaaaaaaaaaaaaaaaaaaaaaaa"', 1), Publication(b'"a"', 2)
        whole, changed = deltas.frame(new, None), deltas.frame(new, old)
        assert deltas.frame(new, old) is changed
        assert deltas.frame(new, None) is whole

    def test_a_change_that_is_longer_than_the_text_is_none(self) -> None:
        """Then the text travels."""
        assert difference(Publication(b"1", 1), Publication(b"2", 2)) == (b'"1"', False)

    def test_a_copy_never_begins_inside_a_character(self) -> None:
        """Two letters that end alike: the common bytes begin in the middle of one."""
        tail = "lorem ipsum dolor sit amet consectetur"
        source, target = f"é{tail}".encode(), f"\u0129{tail}".encode()
        assert source[1:] == target[1:]
        patch = create(source, target)
        patch.decode()
        assert apply_delta(source, patch) == target


class TestDrain:
    async def test_many_are_sent_on_in_several_steps(self) -> None:
        """Not in one instant."""
        limits = Limits(drain_s=0.2, drain_step_s=0.05, close_timeout_s=0.1)
        async with Kit(FAMILIES, limits=limits) as house:
            clients = [await house.connected(LEARNER) for _ in range(4)]
            draining = asyncio.create_task(drain(house.node._hub, limits))
            await until(lambda: any(c.transport.closed for c in clients))
            assert not all(c.transport.closed for c in clients)
            await draining
            assert {(await c.assert_closed())[0] for c in clients} == {3001}


class TestTicks:
    async def test_many_deadlines_leave_room_for_others(self) -> None:
        """After so many looks the loop may do something else."""
        clock = ManualClock()
        async with Kit(FAMILIES, clock=clock) as house:
            strangers = [house.client() for _ in range(AT_ONCE + 1)]
            clock.advance(11)
            await house.node._upkeep.tick()
            assert {(await s.assert_closed())[0] for s in strangers} == {3502}

    def test_a_timer_without_a_value_delivers_nothing(self) -> None:
        """A channel that was forgotten meanwhile."""
        channel, ear = ValueChannel("value:1", 0.2, ManualClock()), Listener()
        assert channel.admit(ear, None) is None
        channel._deliver()
        assert not ear.heard


class TestDescriptors:
    def test_a_broken_one_is_reported_and_an_absent_one_takes_nothing(self) -> None:
        """The rest of the crowd gets its bytes."""
        one, other = socket.socketpair()
        closed = os.dup(one.fileno())
        os.close(closed)
        cells, slots = array("i", [closed, -1, one.fileno()]), array("i", [0, 1, 2])
        assert send_in_python(cells, slots, b"hello") == [(0, -1), (1, 0)]
        assert other.recv(9) == b"hello"
        one.close()
        other.close()

    def test_a_full_one_takes_nothing(self) -> None:
        """Its wire keeps what is to be said."""
        one, other = socket.socketpair()
        one.setblocking(False)
        cells, slots, block = array("i", [one.fileno()]), array("i", [0]), bytes(1 << 20)
        while (short := send_in_python(cells, slots, block)) != [(0, 0)]:
            assert 0 < short[0][1] < len(block)
        one.close()
        other.close()

    async def test_a_transport_without_owner_ends_quietly(self) -> None:
        """Nobody is left to hear the verdict."""
        transport = MemoryTransport()
        transport.stall = True
        writer = Writer(transport, Limits(write_timeout_s=0.01))
        writer.push(Frame(b"{}"))
        await writer._flush(0.01)
        UnidirectionalTransport(transport).abort()
        assert transport.aborted


class TestCommands:
    async def test_what_nobody_listens_to_is_dropped(self) -> None:
        """`send` without a hook: no answer, no error."""
        async with Kit(FAMILIES) as house:
            client = await house.connected(LEARNER)
            client.send('{"send":{"data":{}}}')
            assert await client.command("ping") == {}


class TestIdentities:
    async def test_one_that_was_read_before_stands_until_it_ends(self) -> None:
        """Until it expires, or somebody is logged out; never while orders may be lost."""
        bus = MemoryBus()
        async with Kit(FAMILIES, broker=MemoryBroker(bus)) as house:
            node = house.node
            read_at = node.now()
            assert node.identities.stand(LEARNER, read_at)
            assert not node.identities.stand(
                Identity(user="7", expires_at=time.time() - 1), read_at
            )
            await node.identities.renew("s7")
            assert not node.identities.stand(LEARNER, read_at)
            assert node.identities.stand(LEARNER, node.now())
            await node.disconnect_session("s7")
            assert not node.identities.stand(LEARNER, read_at)
            assert node.identities.stand(Identity(user="8", session="s8"), read_at)
            bus.down = True
            assert not node.identities.stand(Identity(user="8", session="s8"), read_at)

    async def test_whoever_serves_one_without_a_connection_is_told_of_its_end(self) -> None:
        """By session or by user, as long as they watch; others are left alone."""
        other = Identity(user="8", session="s8")
        async with Kit(FAMILIES) as house:
            node = house.node
            with (
                node.identities.watch(LEARNER) as first,
                node.identities.watch(LEARNER) as second,
                node.identities.watch(other) as theirs,
            ):
                await node.disconnect_session("s7")
                assert first.is_set()
                assert second.is_set()
                assert not theirs.is_set()
                await node.disconnect_user("8")
                assert theirs.is_set()
            with node.identities.watch(other) as again:
                assert not again.is_set()
            assert not node._hub._watches


async def test_a_channel_that_is_closed_stops_reading() -> None:
    """A hole that was being filled is nobody's any more."""

    class Slow(MemoryLog):
        async def read(self, channel: str, after: int, limit: int) -> list[Publication]:
            await asyncio.get_running_loop().create_future()
            return await super().read(channel, after, limit)

    log = Slow()
    family = ChannelFamily("log:{id}", Delivery.LOG, everybody)
    async with Kit([family], log=log) as house:
        client = await house.connected(LEARNER)
        await client.subscribe("log:1")
        rows: Sequence[Publication] = [log.commit("log:1", n) for n in range(3)]
        await house.node.publish_log("log:1", rows[2])
        channel = house.node._channels.ordered(Delivery.LOG)["log:1"]
        assert channel._filler is not None
        channel.stop()
        await until(channel._filler.done)
