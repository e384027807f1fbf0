"""Following a stream from inside of the process."""

import asyncio

import pytest

from realtime import (
    BrokerUnavailable,
    Frame,
    Limits,
    MemoryBroker,
    MemoryBus,
    RealtimeError,
)
from realtime.broker import History
from tests.realtime.houses import kit


class TestFollower:
    async def test_it_sees_what_was_and_what_comes(self) -> None:
        """Replay from a position, then live, then the end."""
        async with kit() as house:
            for number in range(3):
                await house.node.publish_tail("tail:1", b"%d" % number)
            async with await house.node.tail_subscribe("tail:1", after=1) as follower:
                await house.node.publish_tail("tail:1", b"3")
                seen = [(await anext(follower)).offset for _ in range(3)]
                assert seen == [2, 3, 4]
                waiting = asyncio.create_task(anext(follower, None))
                await asyncio.sleep(0)
                await follower.aclose()
                assert await waiting is None
            found, offset, _ = await house.node.tail_history("tail:1", after=3)
            assert ([p.data for p in found], offset) == ([b"3"], 4)

    async def test_what_arrives_while_it_recovers_follows(self) -> None:
        """The stream is read while somebody publishes: nothing is lost between."""
        bus = MemoryBus()

        class Busy(MemoryBroker):
            async def history(self, channel: str, after: int, limit: int) -> History:
                page = await super().history(channel, after, limit)
                if limit > 1 and page.offset < 3:
                    await self.append(channel, b"during")
                return page

        async with kit(broker=Busy(bus)) as house:
            for _ in range(2):
                await house.node.publish_tail("tail:1", b"0")
            follower = await house.node.tail_subscribe("tail:1", after=0)
            assert [(await anext(follower)).offset for _ in range(3)] == [1, 2, 3]
            room = house.node._channels._open["tail:1"]
            room.audience.broadcast(Frame(b"{}"))
            await follower.aclose()

    async def test_from_now_on(self) -> None:
        """Without a position it starts with what comes next; join pushes are not for it."""
        async with kit() as house:
            await house.node.publish_tail("tail:1", b"1")
            async with await house.node.tail_subscribe("tail:1") as follower:
                await house.node.publish_tail("tail:1", b"2")
                assert (await anext(aiter(follower))).data == b"2"

    async def test_a_lost_position_is_told(self) -> None:
        """112 for a dropped stream, a lagging follower and a stream that started over."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus), limits=Limits(follower_max=2)) as house:
            node = house.node
            for number in range(3):
                await node.publish_tail("tail:1", b"%d" % number)
            await node.drop_tail("tail:1")
            with pytest.raises(RealtimeError) as refused:
                await node.tail_subscribe("tail:1", after=0)
            assert refused.value.code == 112
            with pytest.raises(RealtimeError) as refused:
                await node.tail_subscribe("value:1")
            assert refused.value.code == 108
            lagging = await node.tail_subscribe("tail:1")
            other = await node.tail_subscribe("tail:2")
            for number in range(3):
                await node.publish_tail("tail:1", b"%d" % number)
            bus.lose()
            bus.restore()
            with pytest.raises(RealtimeError):
                await anext(other)
            assert [(await anext(lagging)).data for _ in range(2)] == [b"0", b"1"]
            with pytest.raises(RealtimeError):
                await anext(lagging)

    async def test_an_outage_is_told(self) -> None:
        """A stream cannot be written or read, and dropping it can wait."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus)) as house:
            bus.down = True
            for attempt in (
                house.node.publish_tail("tail:1", b"1"),
                house.node.tail_history("tail:1"),
                house.node.tail_subscribe("tail:1"),
            ):
                with pytest.raises(BrokerUnavailable):
                    await attempt
            await house.node.drop_tail("tail:1")
