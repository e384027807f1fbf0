"""The answering pool of one worker process: claims questions, watches answers, reaps dead ones."""

import asyncio

import msgspec
import structlog

from app.chat.queries import STOP
from app.chat.tutor import queries
from app.chat.tutor.answering import Answering, Job, Tools
from app.chat.tutor.events import announce
from app.chat.tutor.turns import last_word
from app.infra.leased_work import Places
from app.kit.tasks import end_task

log = structlog.get_logger(__name__)

REAP_LIMIT = 20
DRAIN_S = 5.0
"""Answers may finish in this time after SIGTERM; then they are handed back."""
HAND_BACK_S = 2.5


class AnswerPool:
    """At most `concurrency` answers at once; one claimed question is one watched task."""

    def __init__(self, tools: Tools, *, concurrency: int) -> None:
        self._tools = tools
        self._places = Places[Answering](concurrency, self._look, self._died)

    def hear(self, payload: str) -> None:
        """A hint from the app: a question waits, or an answer is to stop."""
        if not payload.startswith(STOP):
            self._places.wake()
            return
        for answering in self._places.taken:
            if payload == f"{STOP}{answering.job.id}":
                answering.stop()

    async def run(self) -> None:
        """Until `close`. An outage of the database is waited out."""
        await self._places.run(away="answers.database-away")

    def close(self) -> None:
        """Claim no more; `run` returns, `drain` ends the answers."""
        self._places.close()

    async def drain(self) -> None:
        """Let the running answers finish, hand back those that take too long."""
        if await self._places.wait(DRAIN_S):
            return
        for answering in self._places.taken:
            answering.hand_back()
        if not await self._places.wait(HAND_BACK_S):
            log.warning("answers.abandoned", count=len(self._places.taken))
            await self.abandon()

    async def abandon(self) -> None:
        """End every answer where it stands; its lease runs out and the reaper tells of it."""
        await asyncio.gather(*map(end_task, self._places.tasks))

    async def _look(self) -> None:
        await self._reap()
        while self._places.is_free and (job := await self._claim()) is not None:
            answering = Answering(job, self._tools)
            self._places.begin(answering, answering.run(), name=f"answer-{job.id}")
            log.info("answer.claimed", message_id=job.id, attempt=job.attempt)

    async def _claim(self) -> Job | None:
        tools = self._tools
        row = await queries.claim(tools.db, tools.owner, tools.lease_s, tools.model.name)
        return None if row is None else msgspec.convert(dict(row), Job)

    def _died(self, answering: Answering, fault: BaseException) -> None:
        """Its lease runs out and the reaper tells its followers."""
        log.error("answer.died", message_id=answering.job.id, exc_info=fault)

    async def _reap(self) -> None:
        for row in await queries.reap(self._tools.db, REAP_LIMIT):
            log.warning("answer.reaped", message_id=row["id"])
            await announce(self._tools.publisher, last_word(row))
