"""One publication to many sockets: when it leaves, in how many writes, and who does not keep up."""

import asyncio
import socket
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from realtime import sending
from realtime.fanout import Crowd, Fanout
from realtime.sending import Send, Short, built_sender
from realtime.testing import ManualClock
from realtime.wire import Wire
from tests.realtime.floor import (
    LIMITS,
    SIZE,
    WINDOW_S,
    Floor,
    wired,
)
from tests.realtime.waiting import until


class TestWhen:
    async def test_the_first_leaves_at_once_and_the_next_leave_together(self, floor: Floor) -> None:
        """In order, and in two writes."""
        pair = await floor.pair()
        crowd = Crowd(floor.fanout)
        crowd.add(pair.wire.slot)
        crowd.push(wired(1))
        assert await pair.received(SIZE) == wired(1).websocket
        for number in (2, 3, 4):
            crowd.push(wired(number))
        await asyncio.sleep(0)
        assert pair.nothing_waits()
        together = b"".join(wired(n).websocket for n in (2, 3, 4))
        assert await pair.received(3 * SIZE) == together

    @pytest.mark.parametrize(("writing_s", "rest_s"), [(0, 80), (30, 50), (79, 20), (500, 20)])
    async def test_writing_is_part_of_the_window(self, writing_s: float, rest_s: float) -> None:
        """A crowd whose turn takes long waits little more; something is always left for others."""
        clock = ManualClock()

        def slow(*_: Any) -> list[Short]:
            clock.advance(writing_s)
            return []

        fanout = Fanout(80, send=slow, clock=clock)
        crowd = Crowd(fanout)
        crowd.slots.append(0)
        crowd.push(wired(1))
        await until(lambda: not crowd.waiting)
        crowd.push(wired(2))
        assert fanout._end is not None
        loop = asyncio.get_running_loop()
        assert fanout._end.when() - loop.time() == pytest.approx(rest_s, abs=2)
        fanout._end.cancel()

    async def test_a_window_that_nobody_waits_for_costs_nothing(self) -> None:
        """No timer; whoever comes after its end leads again, at once."""
        clock, sent = ManualClock(), list[bytes]()

        def note(_cells: Any, _slots: Any, data: bytes) -> list[Short]:
            sent.append(data)
            return []

        fanout = Fanout(80, send=note, clock=clock)
        crowd = Crowd(fanout)
        crowd.slots.append(0)
        for number in (1, 2, 3):
            crowd.push(wired(number))
            await asyncio.sleep(0)
            assert fanout._end is None
            clock.advance(80)
        assert sent == [wired(n).websocket for n in (1, 2, 3)]

    async def test_one_step_of_the_loop_is_one_write(self, floor: Floor) -> None:
        """What Redis brought at once leaves at once."""
        pair, calls = await floor.pair(), []
        inner = floor.fanout._send

        def counting(*args: Any) -> Any:
            calls.append(args[2])
            return inner(*args)

        floor.fanout._send = counting
        crowd = Crowd(floor.fanout)
        crowd.add(pair.wire.slot)
        for number in (1, 2, 3):
            crowd.push(wired(number))
        await pair.received(3 * SIZE)
        assert len(calls) == 1

    async def test_several_channels_of_one_connection_are_one_write(self, floor: Floor) -> None:
        """Each connection gets what its own channels brought."""
        both, one = await floor.pair(), await floor.pair()
        first, second = Crowd(floor.fanout), Crowd(floor.fanout)
        first.add(both.wire.slot)
        for pair in (both, one):
            second.add(pair.wire.slot)
        first.push(wired(1))
        second.push(wired(2))
        assert await both.received(2 * SIZE) == wired(1).websocket + wired(2).websocket
        assert await one.received(SIZE) == wired(2).websocket

    async def test_many_leading_channels_wait_for_the_window(self, floor: Floor) -> None:
        """A socket on a hundred channels is not written to a hundred times."""
        pair = await floor.pair()
        crowds = [Crowd(floor.fanout) for _ in range(20)]
        for number, crowd in enumerate(crowds):
            crowd.add(pair.wire.slot)
            crowd.push(wired(number % 10))
        received = await pair.received(20 * SIZE)
        assert received == b"".join(wired(n % 10).websocket for n in range(20))

    async def test_who_comes_later_gets_nothing_older(self, floor: Floor) -> None:
        """What waits for the window's end leaves before somebody new is added."""
        old, new = await floor.pair(), await floor.pair()
        crowd = Crowd(floor.fanout)
        crowd.add(old.wire.slot)
        crowd.push(wired(1))
        await old.received(SIZE)
        crowd.push(wired(2))
        crowd.add(new.wire.slot)
        crowd.push(wired(3))
        assert await old.received(2 * SIZE) == wired(2).websocket + wired(3).websocket
        assert await new.received(SIZE) == wired(3).websocket

    async def test_who_left_gets_nothing_more(self, floor: Floor) -> None:
        """The last member takes the free place."""
        pairs = [await floor.pair() for _ in range(3)]
        crowd = Crowd(floor.fanout)
        for pair in pairs:
            crowd.add(pair.wire.slot)
        crowd.remove(pairs[0].wire.slot)
        crowd.remove(pairs[0].wire.slot)
        crowd.push(wired(1))
        for pair in pairs[1:]:
            assert await pair.received(SIZE) == wired(1).websocket
        assert pairs[0].nothing_waits()


def test_places_beyond_one_call_are_reached(built: None) -> None:
    """More sockets than the result arrays hold are sent to in several calls."""
    send = built_sender()
    assert send is not None
    count = sending._PLACES + 3
    shorts = send(array("i", [-1]), array("i", bytes(4 * count)), b"x")
    assert [place for place, _ in shorts] == list(range(count))


def test_without_a_build_python_does_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An absent file and an empty one are the same."""
    empty = tmp_path / "_fanout.so"
    empty.touch()

    def candidates() -> Iterator[Path]:
        yield tmp_path / "absent.so"
        yield empty

    monkeypatch.setattr(sending, "_candidates", candidates)
    assert built_sender() is None


class Sealed(asyncio.Transport):
    """A transport under TLS: its descriptor carries ciphertext, so nobody may write to it."""

    def __init__(self, peer: socket.socket) -> None:
        super().__init__({"socket": peer, "ssl_object": object()})
        self.written: list[bytes] = []
        self.waiting = 0

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None: ...


async def test_under_tls_the_transport_writes(send: Send) -> None:
    """Never the descriptor; a backlog is queued and bounded as anywhere."""
    ours, theirs = socket.socketpair()
    try:
        fanout = Fanout(WINDOW_S, send=send)
        transport = Sealed(ours)
        wire = Wire(transport, fanout, LIMITS, asyncio.get_running_loop().time)
        crowd = Crowd(fanout)
        crowd.add(wire.slot)
        crowd.push(wired(1))
        crowd.flush()
        assert transport.written == [wired(1).websocket]
        transport.waiting = 1
        wire.paused()
        crowd.push(wired(2))
        crowd.flush()
        wire.write(b"reply")
        assert transport.written == [wired(1).websocket]
        transport.waiting = 0
        wire.resumed()
        assert b"".join(transport.written[1:]) == wired(2).websocket + b"reply"
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)
    finally:
        ours.close()
        theirs.close()
