"""One wire step by step: what it does beside a backlog, a cork, and a socket that breaks."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from realtime import Limits
from realtime.fanout import Fanout
from realtime.wire import Wire


class Line:
    """A transport whose backlog moves when a test says so, over one end of a real pair."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        for one in (self.ours, self.theirs):
            one.setblocking(False)
        self.backlog = b""
        self.aborted = False

    def get_extra_info(self, name: str) -> Any:
        return self.ours if name == "socket" else None

    def get_write_buffer_size(self) -> int:
        return len(self.backlog)

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == 0

    def write(self, data: bytes) -> None:
        self.backlog += data

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def heard(self) -> bytes:
        """What the other end has got."""
        try:
            return self.theirs.recv(1_000_000)
        except BlockingIOError:
            return b""


@pytest.fixture
def line() -> Iterator[Line]:
    one = Line()
    yield one
    one.ours.close()
    one.theirs.close()


def wire_of(line: Line) -> Wire:
    """A wire over it."""
    return Wire(line, Fanout(0.02), Limits(), lambda: 0.0)  # type: ignore[arg-type]


async def test_a_transport_that_has_a_backlog_already_is_waited_for(line: Line) -> None:
    """The answer to the handshake may still be on its way."""
    line.backlog = b"handshake"
    wire = wire_of(line)
    wire.write(b"first")
    await asyncio.sleep(0)
    assert line.heard() == b""
    line.backlog = b""
    wire.look(1.0)
    assert line.heard() == b"first"
    wire.write(b"second")
    assert line.heard() == b"second"


async def test_what_was_corked_follows_a_backlog_that_came_meanwhile(line: Line) -> None:
    """Replies and a publication gather; then the transport reports that it is behind."""
    wire = wire_of(line)
    wire.cork()
    wire.cork()
    wire.write(b"reply,")
    wire.took(0, b"publication,", 1)
    line.backlog = b"x"
    wire.paused()
    wire.resumed()
    wire.uncork()
    assert line.heard() == b""
    line.backlog = b""
    wire.resumed()
    assert line.heard() == b"reply,publication,"
    wire.uncork()


async def test_a_backlog_that_ends_under_a_cork_stays_under_it(line: Line) -> None:
    """Nobody writes from the side before the replies that gather."""
    wire = wire_of(line)
    wire.cork()
    wire.paused()
    wire.resumed()
    assert wire._fanout.cells[wire.slot] == -1
    wire.uncork()
    assert wire._fanout.cells[wire.slot] == line.ours.fileno()


async def test_a_socket_that_takes_nothing_hands_over_to_the_transport(line: Line) -> None:
    """And one that breaks behind a backlog is dropped."""
    wire = wire_of(line)
    block = b"x" * 100_000
    while not line.backlog:
        wire.write(block)
    line.backlog = b""
    wire.write(b"waits")
    wire.resumed()
    assert line.backlog == b"waits"
    wire.write(b"more")
    line.backlog = b""
    line.theirs.close()
    wire.resumed()
    assert line.aborted
    wire.write(b"late")
    wire.abort()
    assert line.backlog == b""


async def test_an_end_is_an_end(line: Line) -> None:
    """Nothing is written, corked or said twice after it."""
    wire = wire_of(line)
    wire.cork()
    wire.finish(b"bye", flush=False)
    wire.finish(b"again", flush=True)
    wire.uncork()
    assert line.heard() == b"bye"
    wire.lost()
    wire.abort()
    assert not line.aborted


async def test_a_verdict_without_an_owner_is_nobodys(line: Line) -> None:
    """The connection has ended; its wire has not."""
    wire = wire_of(line)
    line.backlog = b"x"
    wire.paused()
    wire.write(b"y" * 2_000_000)
    wire.look(1000.0)
    assert not line.aborted
