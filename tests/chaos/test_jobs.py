"""R7 for jobs: PostgreSQL is killed while jobs come and go; none is lost, none acts twice.

A job whose commit was never acknowledged may exist or not; it acts at most once as well.
"""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from app.infra.db import DATABASE_AWAY, Database
from app.infra.job_runner import JobRunner, RunnerRules
from app.infra.jobs import Job, JobRules, Jobs
from app.infra.migrations import migrate
from app.kit.tasks import end_task
from tests.support.desk import until
from tests.support.job_worker import Note
from tests.support.report import SEED, Report, sized
from tests.support.running_house import RunningHouse

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]
KIND = "note"
KILLS = sized(2, 50)
JOBS = sized(400, 20_000)
WRITERS = 4
RULES = JobRules(attempts=1000, delay_s=0.05, delay_max_s=0.2)
BACK_WITHIN_S = 60
LOST = (*DATABASE_AWAY, asyncpg.PostgresError, OSError)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RunningHouse]:
    """PostgreSQL under its supervisor, durable; however often it is killed, it is soon back."""
    running = RunningHouse(tmp_path / "data", 1.0)
    yield running
    running.end(signal.SIGTERM)


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[Database, Jobs]]:
    """A migrated database, with one more table for effects."""
    await migrate(url, url)
    db = Database(url, pool_size=WRITERS + 8)
    await db.start()
    await db.execute("CREATE TABLE effects (text text NOT NULL)")
    jobs = Jobs(db, RULES)

    async def act(job: Job, note: Note) -> None:
        async with db.transaction() as tx:
            await tx.execute("INSERT INTO effects VALUES ($1)", note.text)
            await jobs.finish(tx, job)

    jobs.register(KIND, Note, act)
    yield db, jobs
    await db.stop()


async def is_back(db: Database) -> bool:
    """Whether it answers."""
    with contextlib.suppress(*LOST):
        return bool(await db.fetchval("SELECT true"))
    return False


async def put(db: Database, jobs: Jobs, numbers: Iterator[int]) -> list[int]:
    """Enqueue until the numbers end; those that were acknowledged. An outage costs one of them."""
    acknowledged = []
    for number in numbers:
        try:
            async with db.transaction() as tx:
                await jobs.enqueue(tx, KIND, Note(str(number)))
            acknowledged.append(number)
        except LOST:
            await until(partial(is_back, db), deadline_s=BACK_WITHIN_S)
    return acknowledged


async def kill(house: RunningHouse, db: Database, numbers: list[int]) -> None:
    """kill -9 of the server, each time somewhere among the jobs; its supervisor starts it anew."""
    chance, killed = random.Random(SEED), 0
    for at in sorted(chance.sample(range(JOBS // 10, JOBS * 9 // 10), KILLS)):

        async def reached(mark: int = at) -> bool:
            return numbers[0] >= mark

        async def is_another(before: int = killed) -> bool:
            now = house.records().get("postgres")
            return now is not None and now.pid != before and await is_back(db)

        await until(reached, deadline_s=sized(120, 1200))
        await until(is_another, deadline_s=BACK_WITHIN_S)
        killed = house.records()["postgres"].pid
        os.kill(killed, signal.SIGKILL)


async def test_r7_killed_database_loses_no_job(house: RunningHouse) -> None:
    """Every acknowledged job acted exactly once, whatever was killed between its steps."""
    url = house.database_url.replace("sicerdas_app", "postgres")
    report = Report("R7-jobs", events=JOBS)
    async with opened(url) as (db, jobs):
        progress = [0]

        def counted() -> Iterator[int]:
            for number in range(JOBS):
                progress[0] = number
                yield number

        numbers = counted()
        runners = [JobRunner(jobs, f"w{n}", RunnerRules(lease_s=1.0)) for n in range(2)]
        running = [asyncio.create_task(runner.run()) for runner in runners]
        killing = asyncio.create_task(kill(house, db, progress))
        writing = [put(db, jobs, numbers) for _ in range(WRITERS)]
        acknowledged = [n for part in await asyncio.gather(*writing) for n in part]
        await killing

        async def done() -> bool:
            with contextlib.suppress(*LOST):
                return await db.fetchval("SELECT count(*) FROM jobs") == 0
            return False

        await until(done, deadline_s=sized(30, 600))
        for task in running:
            await end_task(task)
        rows = [int(row["text"]) for row in await db.fetch("SELECT text FROM effects")]
    report.missing = len(set(acknowledged) - set(rows))
    report.duplicated = len(rows) - len(set(rows))
    report.extra = {"acknowledged": len(acknowledged), "done": len(rows), "kills": KILLS}
    report.demand("most jobs were acknowledged", len(acknowledged) > JOBS // 2)
    report.conclude()
