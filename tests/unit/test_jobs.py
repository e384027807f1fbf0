"""Jobs on a real database: enqueued with the fact, tried again, given up loudly."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app.infra.jobs import Hopeless, Job, JobRules, LeaseLost, given_up
from app.kit.clock import now
from tests.support.desk import KIND, Desk, until, working
from tests.support.job_worker import Note
from tests.support.servers import Database as MigratedDatabase


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


async def test_job_for_later_waits(desk: Desk) -> None:
    """`run_at` is the earliest time."""
    async with desk.db.transaction() as tx:
        await desk.jobs.enqueue(tx, KIND, Note("later"), now() + timedelta(hours=1))
        await desk.jobs.enqueue(tx, KIND, Note("now"))
    await desk.runner().work_off()
    assert (desk.done, await desk.left()) == (["now"], 1)


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


async def test_unknown_kind_is_left_to_those_who_know_it(desk: Desk) -> None:
    """During an upgrade the old workers leave new kinds alone."""
    await desk.db.execute("INSERT INTO jobs (id, kind, payload) VALUES ('x', 'new-kind', '{}')")
    assert await desk.runner().work_off() == 0
    assert await desk.left() == 1


async def test_operator_sees_and_revives_what_was_given_up(
    fresh_database: MigratedDatabase, desk: Desk
) -> None:
    """`python -m app admin jobs` names each job and why; `--retry` puts it back."""
    await desk.db.execute(
        """INSERT INTO jobs (id, kind, payload, attempts, dead_at, last_error)
        VALUES ('j1', 'note', '{"text": "a"}', 15, now(), 'no server')"""
    )
    url = fresh_database.app_url
    (line,) = await given_up(url, retry=False)
    assert line.endswith("note j1, 15 attempts: no server")
    assert await given_up(url, retry=True) == ["1 jobs are tried again"]
    assert await given_up(url, retry=False) == ["no job was given up"]
    assert await desk.runner().work_off() == 1


async def test_dead_jobs_are_forgotten_after_a_month(desk: Desk) -> None:
    """And not before."""
    await desk.db.execute(
        """INSERT INTO jobs (id, kind, payload, dead_at) VALUES
        ('old', 'k', '{}', now() - interval '31 days'), ('new', 'k', '{}', now())"""
    )
    await desk.jobs.trim()
    assert [job.id for job in await desk.jobs.dead()] == ["new"]
