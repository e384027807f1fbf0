"""A worker process that takes one job and never ends it: `job_worker.py DATABASE_URL KIND`.

A process of its own, so that tests can kill it. It says `working` when it has the job.
"""

import asyncio
import sys

from msgspec import Struct

from app.infra.db import Database
from app.infra.job_runner import JobRunner, RunnerRules
from app.infra.jobs import Job, Jobs


class Note(Struct, frozen=True):
    """A payload with one word."""

    text: str


async def main(url: str, kind: str) -> None:
    """Work until killed."""
    db = Database(url, pool_size=3)
    await db.start()
    jobs = Jobs(db)

    async def hang(_job: Job, _note: Note) -> None:
        print("working", flush=True)
        await asyncio.Event().wait()

    jobs.register(kind, Note, hang)
    await JobRunner(jobs, "doomed", RunnerRules(lease_s=1.0)).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
