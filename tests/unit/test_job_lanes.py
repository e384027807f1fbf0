"""A burst of one kind of job holds no other back: one kind has at most half of the places."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.infra.job_runner import JobRunner, RunnerRules
from app.infra.jobs import Job
from tests.support.desk import KIND, Desk, until, working
from tests.support.job_worker import Note

OTHER = "archive"
BURST = 1000


class Slow:
    """A server that answers when it is told to; counts who waits for it."""

    def __init__(self, desk: Desk) -> None:
        self.answers = asyncio.Event()
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.done: list[str] = []
        desk.act = self.work
        desk.jobs.register(OTHER, Note, self.work)

    async def work(self, job: Job, note: Note) -> None:
        """Wait for the server."""
        self.inside[job.kind] += 1
        self.most[job.kind] = max(self.most[job.kind], self.inside[job.kind])
        try:
            await self.answers.wait()
        finally:
            self.inside[job.kind] -= 1
        self.done.append(note.text)


@pytest.fixture
def slow(desk: Desk) -> Slow:
    return Slow(desk)


async def burst(desk: Desk, kind: str, number: int = BURST) -> None:
    """So many jobs at once."""
    async with desk.db.transaction() as tx:
        for n in range(number):
            await desk.jobs.enqueue(tx, kind, Note(f"{kind} {n}"))


@asynccontextmanager
async def at_work(desk: Desk, concurrency: int) -> AsyncIterator[JobRunner]:
    """A worker with so many places."""
    rules = RunnerRules(concurrency=concurrency, lease_s=5.0, timeout_s=30.0)
    async with working(desk.runner(rules)) as runner:
        yield runner


@pytest.mark.parametrize(("first", "second"), [(KIND, OTHER), (OTHER, KIND)])
async def test_burst_at_a_slow_server_leaves_places_to_others(
    desk: Desk, slow: Slow, first: str, second: str
) -> None:
    """A thousand mails and one export, or the reverse: the one begins at once."""
    await burst(desk, first)
    await burst(desk, second, 1)
    async with at_work(desk, 4) as runner:

        async def begun() -> bool:
            runner.hear("")
            return slow.inside == {first: 2, second: 1}

        await until(begun)
        slow.answers.set()
        await burst(desk, second, 1)

        async def over() -> bool:
            runner.hear("")
            return slow.done.count(f"{second} 0") == 2

        await until(over)
        await desk.db.execute("DELETE FROM jobs WHERE lease_owner IS NULL")
    assert slow.most[first] == 2


@pytest.mark.parametrize(("places", "lane"), [(1, 1), (2, 1), (3, 1), (5, 2)])
async def test_half_is_never_nothing(desk: Desk, slow: Slow, places: int, lane: int) -> None:
    """A worker with a single place does everything, one after the other."""
    await burst(desk, KIND, 6)
    async with at_work(desk, places) as runner:

        async def begun() -> bool:
            runner.hear("")
            return slow.inside[KIND] == lane

        await until(begun)
        slow.answers.set()

        async def over() -> bool:
            return len(slow.done) == 6

        await until(over)
    assert slow.most[KIND] == lane
    assert await desk.left() == 0


async def test_oldest_comes_first_whatever_its_kind(desk: Desk, slow: Slow) -> None:
    """Lanes bound how many, not who."""
    for n in range(3):
        await burst(desk, KIND if n % 2 else OTHER, 1)
        await desk.db.execute("UPDATE jobs SET run_at = run_at - interval '1 minute'")
    slow.answers.set()
    await desk.runner().work_off()
    assert (slow.done, desk.done) == ([f"{OTHER} 0", f"{KIND} 0", f"{OTHER} 0"], [f"{KIND} 0"])
