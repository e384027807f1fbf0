"""Jobs on a real database: enqueued with the fact, done at least once, given up loudly."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.infra.db import Database
from app.infra.job_runner import JobRunner, RunnerRules
from app.infra.jobs import WAKE_CHANNEL, Hopeless, Job, JobRules, Jobs, LeaseLost
from app.infra.notify import Listener
from app.kit.clock import now
from app.kit.tasks import end_task
from tests.support.job_worker import Note
from tests.support.servers import Database as MigratedDatabase

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


@pytest.fixture
async def desk(fresh_database: MigratedDatabase) -> AsyncIterator[Desk]:
    db = Database(fresh_database.app_url, pool_size=10)
    await db.start()
    opened = Desk(db, Jobs(db, IMPATIENT))
    opened.jobs.register(KIND, Note, opened.handle)
    yield opened
    await db.stop()


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


async def until(said: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(DEADLINE_S):
        while not await said():  # noqa: ASYNC110  # the condition is a row
            await asyncio.sleep(POLL_S)


async def test_job_is_done_and_leaves_no_row(desk: Desk) -> None:
    """The usual way."""
    await desk.put("a")
    assert await desk.runner().work_off() == 1
    assert (desk.done, await desk.left()) == (["a"], 0)


async def test_rolled_back_fact_has_no_job(desk: Desk) -> None:
    """What did not happen causes nothing."""

    async def fail() -> None:
        async with desk.db.transaction() as tx:
            await desk.jobs.enqueue(tx, KIND, Note("never"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await desk.runner().work_off() == 0
    assert desk.done == []


async def test_waiting_runner_is_woken(desk: Desk) -> None:
    """A job begins when its fact is committed, not at the next look."""
    runner = desk.runner()
    listener = asyncio.create_task(Listener(desk.db, WAKE_CHANNEL, runner.hear).run())

    async def gone() -> bool:
        return await desk.left() == 0

    async with working(runner):
        await desk.put("a")
        await until(gone)
    await end_task(listener)
    assert desk.done == ["a"]


async def test_job_for_later_waits(desk: Desk) -> None:
    """`run_at` is the earliest time."""
    async with desk.db.transaction() as tx:
        await desk.jobs.enqueue(tx, KIND, Note("later"), now() + timedelta(hours=1))
        await desk.jobs.enqueue(tx, KIND, Note("now"))
    await desk.runner().work_off()
    assert (desk.done, await desk.left()) == (["now"], 1)


async def test_many_runners_do_each_job_once(desk: Desk) -> None:
    """Workers share the queue without doing anything twice."""
    for number in range(40):
        await desk.put(str(number))
    await asyncio.gather(*(desk.runner().work_off() for _ in range(4)))
    assert sorted(desk.done, key=int) == [str(number) for number in range(40)]


async def test_failing_job_is_tried_again_then_dead_and_visible(desk: Desk) -> None:
    """A fault postpones; the last one buries, loudly, and the gauge and the list show it."""

    async def fail(_job: Job, _note: Note) -> None:
        raise ConnectionError("no server")

    async def dead() -> bool:
        await desk.jobs.look()
        return desk.jobs.counts.dead == 1

    desk.act = fail
    await desk.put("a")
    with capture_logs() as logs:
        async with working(desk.runner()) as runner:

            async def pressed() -> bool:
                runner.hear("")
                return await dead()

            await until(pressed)
    assert desk.done == ["a"] * 3
    assert [line["event"] for line in logs] == ["job.failed", "job.failed", "job.dead"]
    assert logs[-1]["log_level"] == "error"
    (given_up,) = await desk.jobs.dead()
    assert (given_up.attempts, given_up.last_error) == (3, "ConnectionError('no server')")
    desk.act = None
    assert await desk.jobs.revive() == 1
    await desk.runner().work_off()
    assert await desk.left() == 0


def test_waits_double_up_to_the_longest() -> None:
    """Backoff with a ceiling, spread by a fifth."""
    rules = JobRules(delay_s=2.0, delay_max_s=60.0)
    for attempts, whole in ((1, 2), (2, 4), (5, 32), (6, 60), (900, 60)):
        assert whole * 0.8 <= rules.wait_s(attempts) <= whole * 1.2


async def test_hopeless_job_is_dead_at_once(desk: Desk) -> None:
    """What can never succeed is not tried again; neither is a payload that nobody can read."""

    async def give_up(_job: Job, _note: Note) -> None:
        raise Hopeless("no such mailbox")

    desk.act = give_up
    await desk.put("a")
    await desk.db.execute(
        "INSERT INTO jobs (id, kind, payload) VALUES ('x', $1, $2)", KIND, {"foreign": 1}
    )
    with capture_logs():
        await desk.runner().work_off()
    assert {job.attempts for job in await desk.jobs.dead()} == {1}
    assert len(await desk.jobs.dead()) == 2


async def test_handler_that_finishes_in_its_transaction_acts_once(desk: Desk) -> None:
    """Two workers with the same job (a lease that ran out): one effect is committed."""
    both = asyncio.Barrier(2)
    committed = []

    async def act(job: Job, note: Note) -> None:
        async with desk.db.transaction() as tx:
            await both.wait()
            await desk.jobs.finish(tx, job)
        committed.append(note.text)

    desk.act = act
    await desk.put("a")
    first = await desk.jobs.claim("slow", 0.0)
    assert first is not None
    await desk.jobs.reap(10)
    second = await desk.jobs.claim("quick", 60.0)
    assert second is not None
    results = await asyncio.gather(
        *(desk.jobs.perform(*claimed) for claimed in (first, second)), return_exceptions=True
    )
    assert [type(result) for result in results] == [LeaseLost, type(None)]
    assert (committed, await desk.left()) == (["a"], 0)


async def test_long_job_keeps_its_lease(desk: Desk) -> None:
    """A job may take longer than a lease; nobody else takes it meanwhile."""
    rival = desk.runner()

    async def outlive(job: Job, _note: Note) -> None:
        row = "SELECT lease_expires_at FROM jobs WHERE id = $1"
        first = await desk.db.fetchval(row, job.id)

        async def renewed_twice() -> bool:
            later = await desk.db.fetchval(row, job.id)
            return bool(later - first > timedelta(seconds=QUICK.lease_s))

        await until(renewed_twice)
        await desk.jobs.reap(10)
        assert await rival.work_off() == 0

    desk.act = outlive
    await desk.put("a")
    assert await desk.runner().work_off() == 1
    assert desk.done == ["a"]


async def test_hanging_job_is_cut_and_postponed(desk: Desk) -> None:
    """A handler that waits for ever does not hold a place for ever."""

    async def hang(_job: Job, _note: Note) -> None:
        await asyncio.Event().wait()

    desk.act = hang
    await desk.put("a")
    with capture_logs() as logs:
        claimed = await desk.jobs.claim("tests", 5.0)
        assert claimed is not None
        await desk.runner(RunnerRules(timeout_s=0.05))._do(*claimed)
    assert [line["event"] for line in logs] == ["job.failed"]
    assert await desk.db.fetchval("SELECT last_error FROM jobs") == "TimeoutError()"


async def test_killed_worker_is_replaced_when_its_lease_ends(
    desk: Desk, fresh_database: MigratedDatabase
) -> None:
    """kill -9 loses no job."""
    await desk.put("a")
    doomed = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROJECT / "tests/support/job_worker.py"),
        fresh_database.app_url,
        KIND,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert doomed.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        assert await doomed.stdout.readline() == b"working\n"
    assert await desk.runner().work_off() == 0
    doomed.send_signal(signal.SIGKILL)
    await doomed.communicate()

    async def gone() -> bool:
        return await desk.left() == 0

    with capture_logs() as logs:
        async with working(desk.runner()):
            await until(gone)
    assert desk.done == ["a"]
    assert [line["event"] for line in logs] == ["job.reaped"]


async def test_crash_loop_ends(desk: Desk) -> None:
    """A job that kills its worker each time is dead after its last attempt."""
    await desk.put("poison")
    for _ in range(IMPATIENT.attempts):
        assert await desk.jobs.claim("doomed", 0.0) is not None
        await desk.jobs.reap(10)
    assert await desk.jobs.claim("doomed", 0.0) is None
    assert [job.last_error for job in await desk.jobs.dead()] == ["worker-lost"]


async def test_leaving_worker_hands_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM: the next worker begins at once, and the attempt does not count."""
    monkeypatch.setattr("app.infra.job_runner.DRAIN_S", 0.01)
    begun = asyncio.Event()

    async def hang(_job: Job, _note: Note) -> None:
        begun.set()
        await asyncio.Event().wait()

    desk.act = hang
    await desk.put("a")
    with capture_logs():
        async with working(desk.runner()):
            await begun.wait()
    row = await desk.db.fetchrow("SELECT attempts, lease_owner FROM jobs")
    assert tuple(row) == (0, None)


async def test_outage_of_the_database_is_waited_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart of PostgreSQL under the runner loses nothing."""
    monkeypatch.setattr("app.infra.job_runner.POLL_S", 0.01)

    async def gone() -> bool:
        return await desk.left() == 0

    async def noticed() -> bool:
        return [line["event"] for line in logs] == ["jobs.database-away"]

    with capture_logs() as logs:
        async with working(desk.runner()):
            await desk.db.stop()
            await until(noticed)
            await desk.db.start()
            await desk.put("a")
            await until(gone)
    assert desk.done == ["a"]


async def test_unknown_kind_is_left_to_those_who_know_it(desk: Desk) -> None:
    """During an upgrade the old workers leave new kinds alone."""
    await desk.db.execute("INSERT INTO jobs (id, kind, payload) VALUES ('x', 'new-kind', '{}')")
    assert await desk.runner().work_off() == 0
    assert await desk.left() == 1


async def test_dead_jobs_are_forgotten_after_a_month(desk: Desk) -> None:
    """And not before."""
    await desk.db.execute(
        """INSERT INTO jobs (id, kind, payload, dead_at) VALUES
        ('old', 'k', '{}', now() - interval '31 days'), ('new', 'k', '{}', now())"""
    )
    await desk.jobs.trim()
    assert [job.id for job in await desk.jobs.dead()] == ["new"]
