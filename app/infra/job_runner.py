"""Runs jobs in one worker process: claims them, renews their leases, tries failed ones again."""

import asyncio
import contextlib
from collections import Counter
from typing import Any

import structlog
from msgspec import Struct

from app.infra.db import DATABASE_AWAY
from app.infra.jobs import Hopeless, Job, Jobs, LeaseLost
from app.infra.leased_work import Places
from app.kit.tasks import end_task

REAP_LIMIT = 20
DRAIN_S = 5.0
"""Jobs may finish in this time after SIGTERM; then they are handed back."""
RENEWALS = 3
"""So often is a lease renewed before it would end: one failed renewal loses nothing."""

log = structlog.get_logger(__name__)


class RunnerRules(Struct, frozen=True):
    """How many jobs at once, and how long one may take."""

    concurrency: int = 4
    lease_s: float = 15.0
    """How long after the death of its worker a job is taken up by another."""
    timeout_s: float = 300.0


class JobRunner:
    """At most `concurrency` jobs at once; one claimed job is one watched task.

    One kind has at most half of the places: a thousand mails for a slow server hold no export back,
    and the reverse. Each server behind a kind thereby sees at most so many of us.
    """

    def __init__(self, jobs: Jobs, owner: str, rules: RunnerRules | None = None) -> None:
        self._jobs = jobs
        self._owner = owner
        self._rules = rules or RunnerRules()
        self._places = Places[Job](self._rules.concurrency, self._look, self._died)

    def hear(self, _payload: str) -> None:
        """A hint: there is a job."""
        self._places.wake()

    async def run(self) -> None:
        """Until `close`. An outage of the database is waited out."""
        await self._places.run(away="jobs.database-away")

    async def work_off(self) -> int:
        """Do everything that is due, one job after the other; the number."""
        done = 0
        while (claimed := await self._claim()) is not None:
            await self._do(*claimed)
            done += 1
        return done

    def close(self) -> None:
        """Claim no more; `run` returns, `drain` ends what runs."""
        self._places.close()

    async def drain(self) -> None:
        """Let the running jobs finish, hand back those that take too long."""
        await self._places.wait(DRAIN_S)
        for task, job in self._places.tasks.items():
            await end_task(task)
            log.warning("job.handed-back", job_id=job.id, kind=job.kind)
            with contextlib.suppress(*DATABASE_AWAY):  # then its lease runs out
                await self._jobs.hand_back(job)

    async def _look(self) -> None:
        await self._reap()
        while self._places.is_free and (claimed := await self._claim()) is not None:
            job, raw = claimed
            self._places.begin(job, self._do(job, raw), name=f"job-{job.id}")

    async def _claim(self) -> tuple[Job, Any] | None:
        lane = max(1, self._rules.concurrency // 2)
        running = Counter(job.kind for job in self._places.taken)
        full = [kind for kind, number in running.items() if number >= lane]
        return await self._jobs.claim(self._owner, self._rules.lease_s, but=full)

    def _died(self, job: Job, fault: BaseException) -> None:
        """Its lease runs out, and then it is tried again."""
        log.error("job.unsettled", job_id=job.id, kind=job.kind, reason=repr(fault))

    async def _do(self, job: Job, raw: Any) -> None:
        """One attempt, and what becomes of the job."""
        jobs = self._jobs
        try:
            await self._attempt(job, raw)
            await jobs.settle(job)
        except LeaseLost:
            log.warning("job.lease-lost", job_id=job.id, kind=job.kind)
        except Hopeless as fault:
            await jobs.bury(job, repr(fault))
            log.exception("job.dead", job_id=job.id, kind=job.kind)
        except Exception as fault:  # noqa: BLE001  # the last resort: any fault of a handler counts
            await self._failed(job, fault)

    async def _failed(self, job: Job, fault: Exception) -> None:
        rules = self._jobs.rules
        facts = {"job_id": job.id, "kind": job.kind, "attempt": job.attempts}
        if job.attempts >= rules.attempts:
            await self._jobs.bury(job, repr(fault))
            log.error("job.dead", **facts, exc_info=fault)
            return
        wait_s = rules.wait_s(job.attempts)
        await self._jobs.postpone(job, repr(fault), wait_s)
        log.warning("job.failed", **facts, again_in_s=round(wait_s, 1), reason=repr(fault))

    async def _attempt(self, job: Job, raw: Any) -> None:
        """The handler beside its heartbeat. Raises LeaseLost when that fails."""
        work = asyncio.ensure_future(self._jobs.perform(job, raw))
        beat = asyncio.ensure_future(self._keep(job))
        try:
            async with asyncio.timeout(self._rules.timeout_s):
                await asyncio.wait((work, beat), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise LeaseLost
            work.result()
        finally:
            await end_task(beat)
            await end_task(work)

    async def _keep(self, job: Job) -> None:
        """Renew the lease; returns when it is lost, or could not be renewed for its whole time."""
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while loop.time() - renewed < self._rules.lease_s:
            await asyncio.sleep(self._rules.lease_s / RENEWALS)
            try:
                if not await self._jobs.renew(job, self._rules.lease_s):
                    return
                renewed = loop.time()
            except DATABASE_AWAY as fault:
                log.warning("job.not-renewed", job_id=job.id, reason=repr(fault))

    async def _reap(self) -> None:
        for row in await self._jobs.reap(REAP_LIMIT):
            facts = {"job_id": row["id"], "kind": row["kind"], "attempt": row["attempts"]}
            if row["dead_at"] is None:
                log.warning("job.reaped", **facts)
            else:
                log.error("job.dead", **facts, reason="worker-lost")
