"""One connection: its queue, its deadlines, its end; the transport is a memory."""

import asyncio
from collections.abc import Sequence

import pytest

from realtime import Frame, Identity, Limits, TransportClosed
from realtime.outbox import Outbox
from realtime.tasks import TaskGroup
from realtime.testing import Kit, ManualClock, MemoryTransport
from tests.realtime.families import FAMILIES, RPC
from tests.realtime.waiting import until

LEARNER = Identity(user="7", session="s7")
FAST = Limits(write_timeout_s=0.02, close_timeout_s=0.02, outgoing_max_frames=3)


class TestSlowConsumer:
    async def test_too_many_frames_are_the_verdict(self) -> None:
        """3008 in the session, an abort on the wire, memory given back."""
        async with Kit(
            FAMILIES, limits=Limits(outgoing_max_frames=3, close_timeout_s=0.02)
        ) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("value:1")
            client.transport.stall = True
            client.send('{"id":50,"ping":{}}')
            await until(lambda: client.connection._out._sending is not None)
            for number in range(6):
                client.send('{"id":%d,"ping":{}}' % (60 + number))  # noqa: UP031  braces
            assert client.connection._close is not None
            assert client.connection._close.code == 3008
            await until(lambda: client.transport.aborted)
            assert len(client.connection._out._outbox) == 0
            assert house.node.state.connections == 0

    async def test_too_many_bytes_are_the_verdict(self) -> None:
        """A few large frames count as much as many small ones."""
        outbox = Outbox(max_bytes=10, max_frames=100)
        assert outbox.push(Frame(b"12345"))
        assert outbox.push(Frame(b"12345"))
        assert not outbox.push(Frame(b"1"))

    async def test_a_transport_that_takes_nothing_is_the_verdict(self) -> None:
        """Also with a short queue: nothing was accepted for the write timeout."""
        async with Kit(FAMILIES, limits=FAST) as house:
            client = await house.connected(LEARNER)
            client.transport.stall = True
            client.send('{"id":50,"ping":{}}')
            await until(lambda: client.transport.aborted)

    async def test_a_neighbour_does_not_notice(self) -> None:
        """Publishing never waits for anybody."""
        async with Kit(FAMILIES, limits=FAST) as house:
            stalled, healthy = await house.connected(LEARNER), await house.connected(LEARNER)
            for client in (stalled, healthy):
                await client.subscribe("tail:1")
            stalled.transport.stall = True
            for number in range(20):
                await house.node.publish_tail("tail:1", b"%d" % number)
                assert (await healthy.assert_push("tail:1"))["data"] == number


class TestEnd:
    async def test_deadlines_are_kept_by_the_nodes_clock(self) -> None:
        """Stale strangers, unanswered pings."""
        clock = ManualClock()
        async with Kit(FAMILIES, clock=clock) as house:
            stranger, client = house.client(), await house.connected(LEARNER)
            clock.advance(10)
            house.node._hub.tick()
            assert (await stranger.assert_closed())[0] == 3502
            clock.advance(15)
            house.node._hub.tick()
            await until(lambda: {} in client.transport.frames)
            clock.advance(8)
            house.node._hub.tick()
            assert (await client.assert_closed())[0] == 3012

    async def test_what_waits_is_sent_before_the_close(self) -> None:
        """The reply to the last command is not lost."""
        async with Kit(FAMILIES) as house:
            client = await house.connected(LEARNER)
            client.send('{"id":5,"ping":{}}\n{')
            client.send('{"id":6,"ping":{}}\n')
            client.send('{"id":7,"connect":{}}')
            client.send('{"id":8,"ping":{}}')
            assert (await client.assert_closed())[0] == 3501

    async def test_a_close_flushes_the_queue(self) -> None:
        """Replies queued in the same step leave before the goodbye."""
        async with Kit(FAMILIES) as house:
            client = await house.connected(LEARNER)
            client.send('{"id":6,"ping":{}}\n{"id":7,"connect":{}}')
            assert (await client.assert_closed())[0] == 3501
            assert {"id": 6, "ping": {}} in client.transport.frames

    async def test_a_transport_that_breaks_ends_quietly(self) -> None:
        """While sending, and while closing."""

        class Broken(MemoryTransport):
            async def send(self, frames: Sequence[Frame]) -> None:
                raise TransportClosed

            async def close(self, code: int, reason: str) -> None:
                raise TransportClosed

        async with Kit(FAMILIES) as house:
            sending = house.node.open(Broken())
            runner = asyncio.create_task(sending.run())
            sending.receive('{"id":1,"connect":{}}')
            await runner
            closing = Broken()
            connection = house.node.open(closing)
            connection.receive("{")
            await connection.run()
            assert closing.aborted

    async def test_commands_die_with_their_connection(self) -> None:
        """No work goes on for a client that has gone."""
        begun, ended = asyncio.Event(), asyncio.Event()

        async def slow(_identity: Identity, _data: bytes) -> bytes:
            begun.set()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                ended.set()
            return b""

        async with Kit(FAMILIES, rpc={"slow": slow}) as house:
            client = await house.connected(LEARNER)
            client.send('{"id":5,"rpc":{"method":"slow"}}')
            await begun.wait()
            await client.cut()
            assert ended.is_set()

    async def test_a_slow_presence_does_not_unsay_the_subscription(self) -> None:
        """The subscribe was answered: what fails afterwards is not a second answer."""
        async with Kit(FAMILIES, rpc=RPC, limits=Limits(command_timeout_s=0.05)) as house:

            async def never(*_: object) -> None:
                await asyncio.get_running_loop().create_future()

            house.node._broker.presence_put = never  # type: ignore[method-assign, assignment]
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            await until(lambda: len(client.connection._tasks) == 0)
            await client.command("ping")
            assert not any("error" in frame for frame in client.transport.frames)


class TestOutbox:
    async def test_the_writer_wakes_for_a_frame_or_a_call(self) -> None:
        """And does not wait when something is there already."""
        outbox = Outbox(100, 100)
        waiting = asyncio.create_task(outbox.wait())
        await asyncio.sleep(0)
        outbox.push(Frame(b"1"))
        outbox.push(Frame(b"2"))
        await waiting
        await outbox.wait()
        assert [f.data for f in outbox.take()] == [b"1", b"2"]
        outbox.wake()
        waiting = asyncio.create_task(outbox.wait())
        await asyncio.sleep(0)
        outbox.wake()
        await waiting


async def test_a_task_that_dies_is_a_loud_fact(caplog: pytest.LogCaptureFixture) -> None:
    """Its name and its error are logged."""

    async def die() -> None:
        raise ZeroDivisionError

    group = TaskGroup()
    group.start(die(), "doomed")
    await until(lambda: len(group) == 0)
    assert "doomed" in caplog.text
    await group.stop()
