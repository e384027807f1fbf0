"""Readers that do not keep up with the fan-out: in order, bounded; neighbours do not pay."""

import asyncio
from typing import cast

import pytest

from realtime.fanout import Crowd
from realtime.protocol import Frame
from tests.realtime.floor import (
    NEVER_BY_ITSELF_S,
    SIZE,
    Floor,
    Handed,
    wired,
)
from tests.realtime.waiting import until


class TestSlow:
    async def test_a_backlog_is_kept_in_order_and_delivered(self, floor: Floor) -> None:
        """Nothing overtakes what the kernel did not take, from whichever side it comes."""
        pair, neighbour = await floor.pair(), await floor.pair()
        crowd = Crowd(floor.fanout)
        for one in (pair, neighbour):
            crowd.add(one.wire.slot)
        big, expected = b"x" * 100_000, b""
        pair.wire.write(big)
        expected += big
        for number in range(5):
            crowd.push(wired(number))
            expected += wired(number).websocket
            await asyncio.sleep(0)
            crowd.flush()
        pair.wire.write(b"reply")
        assert len(await neighbour.received(5 * SIZE)) == 5 * SIZE
        assert await pair.received(len(expected) + 5) == expected + b"reply"
        await until(lambda: not floor.fanout.stalled)
        crowd.push(wired(7))
        assert await pair.received(SIZE) == wired(7).websocket
        assert not pair.judge.verdicts

    @pytest.mark.parametrize(("size", "count"), [(100_000, 5), (10, 60)])
    async def test_too_much_is_the_verdict(self, floor: Floor, size: int, count: int) -> None:
        """By bytes and by count."""
        pair = await floor.pair()
        pair.wire.write(b"x" * 100_000)
        for _ in range(count):
            pair.wire.write(b"x" * size)
        assert pair.judge.verdicts

    async def test_readers_that_stall_together_share_what_they_did_not_take(
        self, floor: Floor
    ) -> None:
        """A burst of megabytes is in memory once, not once for each of them."""
        pairs, crowd = [await floor.pair() for _ in range(2)], Crowd(floor.fanout)
        handed = [Handed(pair.wire._transport) for pair in pairs]
        for pair, noting in zip(pairs, handed, strict=True):
            pair.wire._transport = cast("asyncio.Transport", noting)
            crowd.add(pair.wire.slot)
        crowd.push(Frame(b"x" * 3_000_000))
        crowd.flush()
        assert handed[0].rest.obj is handed[1].rest.obj
        assert all(pair.judge.verdicts for pair in pairs)

    async def test_nothing_accepted_for_the_write_timeout_is_the_verdict(
        self, floor: Floor
    ) -> None:
        """Though little waits; one that moves is spared."""
        pair = await floor.pair()
        pair.wire.write(b"x" * 100_000)
        now = asyncio.get_running_loop().time()
        floor.fanout.tick(now + 4)
        assert not pair.judge.verdicts
        await pair.received(50_000)
        await until(lambda: pair.transport.get_write_buffer_size() < pair.wire._left)
        floor.fanout.tick(now + 6)
        assert not pair.judge.verdicts
        floor.fanout.tick(now + 12)
        assert pair.judge.verdicts

    async def test_nothing_follows_the_last_bytes(self, floor: Floor) -> None:
        """A publication after the close frame would be a fault of ours."""
        pair = await floor.pair()
        crowd = Crowd(floor.fanout)
        crowd.add(pair.wire.slot)
        floor.fanout._window_s = NEVER_BY_ITSELF_S
        pair.wire.finish(b"bye", flush=True)
        crowd.push(wired(1))
        pair.wire.write(b"late")
        await until(lambda: not crowd.waiting)
        crowd.push(wired(2))
        floor.end_window()
        assert not crowd.waiting
        assert await pair.received(3) == b"bye"
        assert pair.nothing_waits()

    @pytest.mark.parametrize("flush", [True, False])
    async def test_the_last_bytes_follow_what_waits_if_that_has_a_point(
        self, floor: Floor, *, flush: bool
    ) -> None:
        """The part that the kernel began is always finished: half a frame is no frame."""
        pair = await floor.pair()
        pair.wire.write(b"x" * 100_000)
        pair.wire.write(b"waits")
        pair.wire.finish(b"bye", flush=flush)
        expected = b"x" * 100_000 + (b"waits" if flush else b"") + b"bye"
        assert await pair.received(len(expected)) == expected

    async def test_a_slot_of_the_dead_never_reaches_its_heir(self, floor: Floor) -> None:
        """The descriptor's number is used again at once."""
        first = await floor.pair()
        slot, late = first.wire.slot, first.wire
        first.transport.abort()
        await until(lambda: first.wire.slot < 0)
        heir = await floor.pair()
        assert heir.wire.slot == slot
        late.write(b"to nobody")
        late.abort()
        heir.wire.write(b"mine")
        assert await heir.received(4) == b"mine"

    async def test_a_slot_that_is_still_held_has_no_heir(
        self, floor: Floor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A forgotten membership costs a slot and a line in the log, never a stranger's message."""
        first, crowd = await floor.pair(), Crowd(floor.fanout)
        slot = first.wire.slot
        crowd.add(slot)
        crowd.add(slot)
        first.transport.abort()
        await until(lambda: first.wire.slot < 0)
        assert "slot_still_held" in caplog.text
        heir = await floor.pair()
        assert heir.wire.slot != slot
        crowd.push(wired(1))
        crowd.flush()
        heir.wire.write(b"mine")
        assert await heir.received(4) == b"mine"

    async def test_a_broken_socket_is_dropped(self, floor: Floor) -> None:
        """The others do not notice."""
        broken, healthy = await floor.pair(), await floor.pair()
        crowd = Crowd(floor.fanout)
        for pair in (broken, healthy):
            crowd.add(pair.wire.slot)
        broken.client.close()
        crowd.push(wired(1))
        assert await healthy.received(SIZE) == wired(1).websocket
        crowd.remove(broken.wire.slot)
        await until(lambda: broken.wire.slot < 0)
