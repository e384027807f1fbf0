"""A queue whose handler does what a test says, and workers for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.infra.db import Database
from app.infra.job_runner import JobRunner, RunnerRules
from app.infra.jobs import Job, JobRules, Jobs
from tests.support.job_worker import Note

PROJECT = Path(__file__).resolve().parents[2]
KIND = "note"
DEADLINE_S, POLL_S = 20, 0.01
QUICK = RunnerRules(concurrency=4, lease_s=0.6, timeout_s=5.0)
IMPATIENT = JobRules(attempts=3, delay_s=0.01, delay_max_s=0.02)


@dataclass
class Desk:
    """A queue whose one handler writes down what it is given, and does what a test says."""

    db: Database
    jobs: Jobs
    done: list[str] = field(default_factory=list)
    act: Callable[[Job, Note], Awaitable[None]] | None = None

    async def handle(self, job: Job, note: Note) -> None:
        """The handler."""
        self.done.append(note.text)
        if self.act is not None:
            await self.act(job, note)

    async def put(self, text: str) -> str:
        """One more job."""
        async with self.db.transaction() as tx:
            return await self.jobs.enqueue(tx, KIND, Note(text))

    def runner(self, rules: RunnerRules = QUICK) -> JobRunner:
        """One more worker."""
        return JobRunner(self.jobs, f"tests-{id(object())}", rules)

    async def left(self) -> int:
        """How many rows there are."""
        return int(await self.db.fetchval("SELECT count(*) FROM jobs"))


@contextlib.asynccontextmanager
async def working(runner: JobRunner) -> AsyncIterator[JobRunner]:
    """A runner at work, ended in order."""
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        runner.close()
        await task
        await runner.drain()


async def until(said: Callable[[], Awaitable[bool]], *, deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(deadline_s):
        while not await said():  # noqa: ASYNC110  # the condition is a row
            await asyncio.sleep(POLL_S)
