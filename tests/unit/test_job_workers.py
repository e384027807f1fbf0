"""Workers on one queue: woken, killed, leaving, cut off; no job is lost or done twice at once."""

import asyncio
import os
import signal
import sys
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app.infra.job_runner import RunnerRules
from app.infra.jobs import WAKE_CHANNEL, Job
from app.infra.notify import Listener
from app.kit.tasks import end_task
from tests.support.desk import DEADLINE_S, IMPATIENT, KIND, PROJECT, QUICK, Desk, until, working
from tests.support.job_worker import Note
from tests.support.servers import Database as MigratedDatabase


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


async def test_many_runners_do_each_job_once(desk: Desk) -> None:
    """Workers share the queue without doing anything twice."""
    for number in range(40):
        await desk.put(str(number))
    await asyncio.gather(*(desk.runner().work_off() for _ in range(4)))
    assert sorted(desk.done, key=int) == [str(number) for number in range(40)]


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
    monkeypatch.setattr("app.infra.leased_work.POLL_S", 0.01)

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
