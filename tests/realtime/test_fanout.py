"""One publication to many sockets: when it leaves, in how many writes, and who does not keep up."""

import asyncio
import shutil
import socket
import subprocess
from array import array
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from realtime import Limits, sending
from realtime.fanout import Crowd, Fanout
from realtime.protocol import Frame
from realtime.sending import Send, built_sender, send_in_python
from realtime.wire import Wire
from tests.realtime.waiting import until

WINDOW_S = 0.05
NEVER_BY_ITSELF_S = 3600
LIMITS = Limits(outgoing_max_bytes=300_000, outgoing_max_frames=50, write_timeout_s=5)


class Judge:
    """Remembers the verdict."""

    verdicts = 0

    def too_slow(self) -> None:
        self.verdicts += 1

    def lost(self) -> None: ...


class End(asyncio.Protocol):
    """The server's end of a pair."""

    wire: Wire

    def pause_writing(self) -> None:
        self.wire.paused()

    def resume_writing(self) -> None:
        self.wire.resumed()

    def connection_lost(self, _error: Exception | None) -> None:
        self.wire.lost()


class Pair:
    """A wire, and the client at its other end."""

    def __init__(self, client: socket.socket, transport: Any, end: End) -> None:
        self.client, self.transport, self.end = client, transport, end
        self.wire = end.wire
        self.judge = Judge()
        self.wire.owner = self.judge

    async def received(self, count: int) -> bytes:
        """Exactly so many bytes."""
        loop, data = asyncio.get_running_loop(), b""
        async with asyncio.timeout(5):
            while len(data) < count:
                data += await loop.sock_recv(self.client, count - len(data))
        return data

    def nothing_waits(self) -> bool:
        try:
            return not self.client.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True


@pytest.fixture(params=["C", "Python"])
def send(request: pytest.FixtureRequest) -> Send:
    if request.param == "Python":
        return send_in_python
    request.getfixturevalue("built")
    found = built_sender()
    assert found is not None
    return found


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop in C, built here; without a compiler there is nothing to test."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, target = Path(sending.__file__).parent / "_fanout.c", tmp_path / "_fanout.so"
    flags = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(target), str(source)], check=True)
    monkeypatch.setattr(sending, "_candidates", lambda: iter([tmp_path / "absent.so", target]))


class Handed:
    """A transport, and what it was given last."""

    rest: memoryview

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def write(self, data: memoryview) -> None:
        self.rest = data
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Floor:
    """A fan-out and its pairs."""

    def __init__(self, send: Send) -> None:
        self.fanout = Fanout(WINDOW_S, send=send)
        self.pairs: list[Pair] = []

    async def pair(self, limits: Limits = LIMITS) -> Pair:
        ours, theirs = socket.socketpair()
        for one in (ours, theirs):
            one.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        loop = asyncio.get_running_loop()
        transport, end = await loop.create_connection(End, sock=ours)
        end.wire = Wire(transport, self.fanout, limits, loop.time)
        self.pairs.append(Pair(theirs, transport, end))
        return self.pairs[-1]

    def end_window(self) -> None:
        """Have the window that is open end now."""
        assert self.fanout._window is not None
        self.fanout._window.cancel()
        self.fanout._close_window()


@pytest.fixture
async def floor(send: Send) -> AsyncIterator[Floor]:
    floor = Floor(send)
    yield floor
    for pair in floor.pairs:
        pair.transport.abort()
        pair.client.close()
    await until(lambda: all(pair.wire.slot < 0 for pair in floor.pairs))


def wired(number: int) -> Frame:
    return Frame(b'{"n":%d}' % number)


SIZE = len(wired(1).websocket)


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
