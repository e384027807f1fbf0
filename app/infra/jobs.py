"""Jobs: things to be done after a fact, enqueued in its transaction and done at least once.

A job is leased, renewed while it runs, tried again later after a failure, and dead after its last
attempt; whoever works on it may end it inside a transaction of its own, and then its effect
happens exactly once. Library queues end a job in a statement of theirs, so none of them can.
"""

import random
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from asyncpg import Record
from msgspec import Struct

from app.infra.db import Database, Queryable
from app.kit.clock import now
from app.kit.ids import new_id

WAKE_CHANNEL = "jobs"
DEAD_KEPT = timedelta(days=30)
DOUBLINGS_MAX = 30
ERROR_LENGTH = 500

P = TypeVar("P", bound=Struct)

ENQUEUE = f"""
INSERT INTO jobs (id, kind, payload, run_at) VALUES ($1, $2, $3, coalesce($4, now()))
RETURNING pg_notify('{WAKE_CHANNEL}', '')
"""  # noqa: S608  # a constant of this module
CLAIM = """
UPDATE jobs SET lease_owner = $1, lease_expires_at = now() + make_interval(secs => $2),
    fence = fence + 1, attempts = attempts + 1
WHERE id = (
    SELECT id FROM jobs
    WHERE dead_at IS NULL AND lease_owner IS NULL AND run_at <= now() AND kind = ANY($3)
    ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, payload, attempts, fence
"""  # jobs_due, past what is due for longer but of kinds that have their places already
REAP = """
UPDATE jobs SET lease_owner = NULL, lease_expires_at = NULL, last_error = 'worker-lost',
    dead_at = CASE WHEN attempts >= $1 THEN now() END
WHERE id IN (
    SELECT id FROM jobs WHERE lease_expires_at < now()
    ORDER BY lease_expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, attempts, dead_at
"""  # jobs_leases
OURS = "id = $1 AND fence = $2 AND lease_owner IS NOT NULL"
RENEW = f"""
UPDATE jobs SET lease_expires_at = now() + make_interval(secs => $3) WHERE {OURS}
"""  # noqa: S608  # constants of this module
EXISTS = "SELECT EXISTS (SELECT FROM jobs WHERE id = $1)"
FINISH = f"DELETE FROM jobs WHERE {OURS}"  # noqa: S608  # the same
POSTPONE = f"""
UPDATE jobs SET lease_owner = NULL, lease_expires_at = NULL, last_error = $3,
    run_at = now() + make_interval(secs => $4)
WHERE {OURS}
"""  # noqa: S608  # the same
BURY = f"""
UPDATE jobs SET lease_owner = NULL, lease_expires_at = NULL, last_error = $3, dead_at = now()
WHERE {OURS}
"""  # noqa: S608  # the same
HAND_BACK = f"""
UPDATE jobs SET lease_owner = NULL, lease_expires_at = NULL, attempts = attempts - 1 WHERE {OURS}
"""  # noqa: S608  # the same
REVIVE = """
UPDATE jobs SET dead_at = NULL, attempts = 0, run_at = now() WHERE dead_at IS NOT NULL
"""  # jobs_dead_at
DEAD = """
SELECT id, kind, attempts, last_error, dead_at FROM jobs
WHERE dead_at IS NOT NULL ORDER BY dead_at DESC LIMIT $1
"""  # jobs_dead_at
COUNT = """
SELECT count(*) FILTER (WHERE dead_at IS NULL) AS waiting,
    count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead
FROM jobs
"""  # reads all: rows are few, for done jobs leave none
TRIM = "DELETE FROM jobs WHERE dead_at < $1"  # jobs_dead_at


class LeaseLost(Exception):
    """Somebody else works on the job, or it is done: nothing may be written in its name."""


class Hopeless(Exception):
    """Raised by a handler whose job can never succeed: it is dead at once."""


class Job(Struct, frozen=True):
    """The right to work on one job; `attempts` counts this one."""

    id: str
    kind: str
    attempts: int
    fence: int


class JobRules(Struct, frozen=True):
    """How often and how soon a failed job is tried again."""

    attempts: int = 15
    delay_s: float = 2.0
    """After the first failure; each further one doubles it."""
    delay_max_s: float = 3600.0

    def wait_s(self, attempts: int) -> float:
        """The wait after so many failures, spread so that what failed together returns apart."""
        whole = min(self.delay_max_s, self.delay_s * 2.0 ** min(attempts - 1, DOUBLINGS_MAX))
        return whole * random.uniform(0.8, 1.2)  # noqa: S311  # no secret


class JobCounts(Struct, frozen=True):
    """What was there when somebody looked last."""

    waiting: int = 0
    dead: int = 0


class DeadJob(Struct, frozen=True):
    """A job that was given up, for the operator; its payload stays unseen."""

    id: str
    kind: str
    attempts: int
    last_error: str | None
    dead_at: datetime


Handler = Callable[[Job, Any], Awaitable[None]]


class Jobs:
    """The queue. Every kind is registered once, by the service that does it."""

    def __init__(self, db: Database, rules: JobRules | None = None) -> None:
        self._db = db
        self._handlers: dict[str, tuple[type[Struct], Handler]] = {}
        self.rules = rules or JobRules()
        self.counts = JobCounts()

    def register(
        self, kind: str, payload: type[P], handler: Callable[[Job, P], Awaitable[None]]
    ) -> None:
        """Who does the jobs of a kind. It may call `finish` in its own transaction."""
        if kind in self._handlers:
            raise AssertionError(f"two handlers for {kind}")
        self._handlers[kind] = (payload, handler)

    async def enqueue(
        self, tx: Queryable, kind: str, payload: Struct, run_at: datetime | None = None
    ) -> str:
        """One more job, if and only if the transaction commits; its id."""
        if not isinstance(payload, self._handlers[kind][0]):
            raise TypeError(f"{kind} takes no {type(payload).__name__}")
        job_id = new_id()
        await tx.execute(ENQUEUE, job_id, kind, msgspec.to_builtins(payload), run_at)
        return job_id

    async def finish(self, tx: Queryable, job: Job) -> None:
        """The job is done with this transaction. Raises LeaseLost, and so rolls it back."""
        if await tx.execute(FINISH, job.id, job.fence) != "DELETE 1":
            raise LeaseLost

    async def dead(self, limit: int = 100) -> list[DeadJob]:
        """What was given up, the newest first."""
        rows = await self._db.fetch(DEAD, limit)
        return [msgspec.convert(dict(row), DeadJob) for row in rows]

    async def revive(self) -> int:
        """Try everything again that was given up; the number."""
        tag = await self._db.execute(REVIVE)
        return int(tag.rpartition(" ")[2])

    async def look(self) -> None:
        """Count anew."""
        row = await self._db.fetchrow(COUNT)
        if row is not None:
            self.counts = JobCounts(row["waiting"], row["dead"])

    async def trim(self) -> None:
        """Forget what died long ago."""
        await self._db.execute(TRIM, now() - DEAD_KEPT)

    # --- for the runner

    @property
    def kinds(self) -> Collection[str]:
        """What this process can do: a newer process may enqueue what an older one cannot."""
        return self._handlers.keys()

    async def claim(
        self, owner: str, lease_s: float, *, but: Collection[str] = ()
    ) -> tuple[Job, Any] | None:
        """The job that is due longest, of any kind but these, with its raw payload."""
        wanted = [kind for kind in self.kinds if kind not in but]
        row = await self._db.fetchrow(CLAIM, owner, lease_s, wanted)
        if row is None:
            return None
        return Job(row["id"], row["kind"], row["attempts"], row["fence"]), row["payload"]

    async def perform(self, job: Job, raw: Any) -> None:
        """Call the handler. Raises what it raises, Hopeless for a payload it cannot read."""
        payload_type, handler = self._handlers[job.kind]
        try:
            payload = msgspec.convert(raw, payload_type)
        except msgspec.ValidationError as fault:
            raise Hopeless(str(fault)) from fault
        await handler(job, payload)

    async def renew(self, job: Job, lease_s: float) -> bool:
        """Hold the job for longer. False when somebody else has it; one that is gone was finished
        by its own handler, which may have something left to do after its commit."""
        if await self._db.execute(RENEW, job.id, job.fence, lease_s) == "UPDATE 1":
            return True
        return not await self._db.fetchval(EXISTS, job.id)

    async def settle(self, job: Job) -> None:
        """The handler returned; it may have finished the job itself."""
        await self._db.execute(FINISH, job.id, job.fence)

    async def postpone(self, job: Job, error: str, wait_s: float) -> None:
        """Try again later."""
        await self._db.execute(POSTPONE, job.id, job.fence, error[:ERROR_LENGTH], wait_s)

    async def bury(self, job: Job, error: str) -> None:
        """Give it up."""
        await self._db.execute(BURY, job.id, job.fence, error[:ERROR_LENGTH])

    async def hand_back(self, job: Job) -> None:
        """This worker is leaving: the attempt does not count."""
        await self._db.execute(HAND_BACK, job.id, job.fence)

    async def reap(self, limit: int) -> list[Record]:
        """Take jobs from workers that went silent; one that ended its last attempt so is dead."""
        return await self._db.fetch(REAP, self.rules.attempts, limit)


async def given_up(url: str, *, retry: bool) -> list[str]:
    """For the operator: a line for each job that was given up, after trying them again or not."""
    db = Database(url, pool_size=1)
    await db.start()
    try:
        jobs = Jobs(db)
        if retry:
            return [f"{await jobs.revive()} jobs are tried again"]
        lines = [
            f"{job.dead_at:%Y-%m-%d %H:%M} {job.kind} {job.id}, {job.attempts} attempts: "
            f"{job.last_error}"
            for job in await jobs.dead()
        ]
        return lines or ["no job was given up"]
    finally:
        await db.stop()
