"""The places of a worker: never too many, each in a context of its own, no death unseen."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from structlog.testing import capture_logs

from app.infra.leased_work import Places
from app.kit.errors import Unavailable
from tests.support.desk import until

INHERITED = contextvars.ContextVar("INHERITED", default="nothing")


@dataclass
class Bench:
    """Two places, and a pile of names; `work` is what is done with each."""

    pile: list[str]
    seen: list[str] = field(default_factory=list)
    died: list[tuple[str, str]] = field(default_factory=list)
    most: int = 0
    outages: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.places = Places[str](2, self.look, self.told)

    async def look(self) -> None:
        """Begin as much as there is room for."""
        if self.outages:
            self.outages -= 1
            self.places.wake()
            raise Unavailable
        while self.places.is_free and self.pile:
            INHERITED.set("the claimer's")
            name = self.pile.pop(0)
            self.places.begin(name, self.work(name), name=name)

    def told(self, name: str, fault: BaseException) -> None:
        """A task died."""
        self.died.append((name, repr(fault)))

    async def is_full(self) -> bool:
        """Whether both places are taken."""
        return len(self.places.taken) == 2

    async def work(self, name: str) -> None:
        """Wait for the gate; `bad` fails."""
        self.most = max(self.most, len(self.places.taken))
        await self.gate.wait()
        self.seen.append(f"{name} inherits {INHERITED.get()}")
        if name == "bad":
            raise ValueError(name)


@asynccontextmanager
async def at_work(bench: Bench) -> AsyncIterator[None]:
    """The bench's loop, ended in order."""
    running = asyncio.create_task(bench.places.run(away="tests.database-away"))
    try:
        yield
    finally:
        bench.places.close()
        await running


async def holds(bench: Bench, done: int) -> None:
    """Wait until so much was done."""

    async def enough() -> bool:
        return len(bench.seen) == done and not bench.places.taken

    await until(enough)


async def test_there_are_never_more_than_places() -> None:
    """What waits begins when something ends, and inherits nothing of who claimed it."""
    bench = Bench(["a", "b", "c", "d", "e"])
    async with at_work(bench):
        bench.gate.set()
        await holds(bench, 5)
    assert bench.most == 2
    assert bench.seen == [f"{name} inherits nothing" for name in "abcde"]


async def test_a_death_is_told_and_frees_its_place() -> None:
    """The queue's owner hears of it, and the work goes on."""
    bench = Bench(["bad", "bad", "good"])
    async with at_work(bench):
        bench.gate.set()
        await holds(bench, 3)
    assert bench.died == [("bad", "ValueError('bad')")] * 2


async def test_an_outage_is_told_once_and_waited_out() -> None:
    """The database returns, and the work begins."""
    bench = Bench(["a"], outages=3)
    bench.gate.set()
    with capture_logs() as logs:
        async with at_work(bench):
            await holds(bench, 1)
    assert [line["event"] for line in logs] == ["tests.database-away"]


async def test_closed_places_begin_nothing_and_let_finish() -> None:
    """A worker that leaves claims no more; what it has begun may end."""
    bench = Bench(["a", "b", "c"])
    async with at_work(bench):
        await until(bench.is_full)
    assert not bench.places.is_free
    assert not await bench.places.wait(0)
    bench.gate.set()
    assert await bench.places.wait(5)
    assert bench.pile == ["c"]
