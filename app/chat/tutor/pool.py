"""The answering pool of one worker process: claims questions, watches answers, reaps dead ones."""

import asyncio
import contextvars

import msgspec
import structlog

from app.chat.queries import STOP
from app.chat.tutor import queries
from app.chat.tutor.answering import DATABASE_AWAY, Answering, Job, Tools
from app.chat.tutor.events import announce
from app.chat.tutor.turns import last_word

log = structlog.get_logger(__name__)

POLL_S = 1.0
"""A lost notification costs at most this."""
REAP_LIMIT = 20
DRAIN_S = 5.0
"""Answers may finish in this time after SIGTERM; then they are handed back."""
HAND_BACK_S = 2.5


class AnswerPool:
    """At most `concurrency` answers at once; one claimed question is one watched task."""

    def __init__(self, tools: Tools, *, concurrency: int) -> None:
        self._tools = tools
        self._concurrency = concurrency
        self._running: dict[asyncio.Task[None], Answering] = {}
        self._wake = asyncio.Event()
        self._closing = False

    def hear(self, payload: str) -> None:
        """A hint from the app: a question waits, or an answer is to stop."""
        if not payload.startswith(STOP):
            self._wake.set()
            return
        for answering in self._running.values():
            if payload == f"{STOP}{answering.job.id}":
                answering.stop()

    async def run(self) -> None:
        """Until `close`. An outage of the database is waited out."""
        away = False
        while not self._closing:
            try:
                await self._reap()
                await self._claim()
                away = False
            except DATABASE_AWAY as fault:
                if not away:
                    log.warning("answers.database-away", reason=repr(fault))
                away = True
            await self._pause()

    def close(self) -> None:
        """Claim no more; `run` returns, `drain` ends the answers."""
        self._closing = True
        self._wake.set()

    async def drain(self) -> None:
        """Let the running answers finish, hand back those that take too long."""
        if await self._wait(DRAIN_S):
            return
        for answering in self._running.values():
            answering.hand_back()
        if not await self._wait(HAND_BACK_S):
            log.warning("answers.abandoned", count=len(self._running))
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _wait(self, seconds: float) -> bool:
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)
        return not self._running

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    async def _claim(self) -> None:
        tools = self._tools
        while not self._closing and len(self._running) < self._concurrency:
            row = await queries.claim(tools.db, tools.owner, tools.lease_s, tools.model.name)
            if row is None:
                return
            self._begin(msgspec.convert(dict(row), Job))

    def _begin(self, job: Job) -> None:
        answering = Answering(job, self._tools)
        loop = asyncio.get_running_loop()
        # A fresh context: the task must not inherit anything of the claimer's database work.
        task = loop.create_task(
            answering.run(), name=f"answer-{job.id}", context=contextvars.Context()
        )
        self._running[task] = answering
        task.add_done_callback(self._ended)
        log.info("answer.claimed", message_id=job.id, attempt=job.attempt)

    def _ended(self, task: asyncio.Task[None]) -> None:
        answering = self._running.pop(task)
        self._wake.set()
        if not task.cancelled() and (fault := task.exception()) is not None:
            # Its lease runs out and the reaper tells its followers.
            log.error("answer.died", message_id=answering.job.id, exc_info=fault)

    async def _reap(self) -> None:
        for row in await queries.reap(self._tools.db, REAP_LIMIT):
            log.warning("answer.reaped", message_id=row["id"])
            await announce(self._tools.publisher, last_word(row))
