"""One attempt at one answer: retrieve, stream, publish, checkpoint, and end exactly once.

The row is the truth and its lease the right to write it. Whoever loses the lease falls silent: the
fence in every statement makes sure that a late writer changes nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import structlog
from msgspec import Struct

from app.chat.schemas import AnswerStatus, ModelInfo, Source, SourcesFound, Started
from app.chat.tutor import prompt, queries
from app.chat.tutor.citations import Citer
from app.chat.tutor.events import EventStream, TailPublisher
from app.chat.tutor.turns import last_word
from app.infra.db import DATABASE_AWAY, Database
from app.infra.llm import ModelFailure
from app.kit.tasks import end_task

log = structlog.get_logger(__name__)

CHECKPOINT_S = 0.8
"""How much of an answer a dying worker may lose, and how late a stop may be seen at worst."""
EARLIER_TURNS = 2


class Library(Protocol):
    """Where passages are found; the catalogue's service fits."""

    async def search_passages(
        self, query: str, *, book_id: int | None = None, limit: int = 4
    ) -> Sequence[prompt.Passage]:
        """The best passages first; empty when nothing fits."""
        ...


class Model(Protocol):
    """A streaming chat model."""

    @property
    def name(self) -> str: ...

    def answer(self, turns: Sequence[prompt.Turn]) -> AsyncIterator[str]:
        """The answer piece by piece. Raises ModelFailure."""
        ...


class Tools(Struct, frozen=True):
    """What every attempt works with."""

    db: Database
    library: Library
    model: Model
    publisher: TailPublisher
    owner: str
    lease_s: float = 10.0
    passages: int = 4
    demo_model: bool = False


class Job(Struct, frozen=True):
    """A claimed question."""

    id: int
    conversation_id: str
    user_message: str
    attempt: int
    fence: int
    book_id: int | None


class LeaseLost(Exception):
    """Somebody else has the word on this answer, or it is gone."""


class Answering:
    """Runs one job to its one end."""

    def __init__(self, job: Job, tools: Tools) -> None:
        self.job = job
        self._tools = tools
        self._events = EventStream(tools.publisher, job.conversation_id, job.id, job.attempt)
        self._order: asyncio.Future[AnswerStatus] = asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        """The owner wants no more of it."""
        self._obey(AnswerStatus.STOPPED)

    def hand_back(self) -> None:
        """This worker is leaving; the text so far stays and a retry is possible."""
        self._obey(AnswerStatus.INTERRUPTED)

    def _obey(self, status: AnswerStatus) -> None:
        if not self._order.done():
            self._order.set_result(status)

    async def run(self) -> None:
        """Work until the end; a lost lease ends it silently."""
        publishing = asyncio.create_task(self._events.run())
        writing = asyncio.create_task(self._write())
        try:
            status, error = await self._watch(writing)
            await end_task(writing)
            await end_task(publishing)
            await self._finish(status, error)
        except LeaseLost:
            log.warning("answer.lease-lost", message_id=self.job.id, fence=self.job.fence)
        finally:
            await end_task(writing)
            await end_task(publishing)

    async def _watch(self, writing: asyncio.Task[None]) -> tuple[AnswerStatus, str | None]:
        """Checkpoint until the writer is done or told to stop. Raises LeaseLost."""
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        awaited: set[asyncio.Future[Any]] = {writing, self._order}
        while True:
            await asyncio.wait(awaited, timeout=CHECKPOINT_S, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                return self._outcome(writing)
            if self._order.done():
                status = self._order.result()
                return status, "worker-stopped" if status is AnswerStatus.INTERRUPTED else None
            try:
                await self._checkpoint()
                renewed = loop.time()
            except DATABASE_AWAY as fault:
                log.warning("answer.unsaved", message_id=self.job.id, reason=repr(fault))
                if loop.time() - renewed > self._tools.lease_s:
                    raise LeaseLost from fault

    def _outcome(self, writing: asyncio.Task[None]) -> tuple[AnswerStatus, str | None]:
        fault = writing.exception()
        if fault is None:
            return AnswerStatus.COMPLETED, None
        if isinstance(fault, ModelFailure):
            return AnswerStatus.FAILED, fault.code
        if isinstance(fault, DATABASE_AWAY):
            return AnswerStatus.FAILED, "unavailable"
        log.error("answer.crashed", message_id=self.job.id, exc_info=fault)
        return AnswerStatus.FAILED, "internal"

    async def _checkpoint(self) -> None:
        tools, job = self._tools, self.job
        async with asyncio.timeout(tools.lease_s / 2):
            stop = await queries.checkpoint(
                tools.db, job.id, tools.owner, job.fence, tools.lease_s, self._events.text
            )
        if stop is None:
            raise LeaseLost
        if stop:
            self.stop()

    async def _write(self) -> None:
        """Everything between the question and the model's last word."""
        self._events.send(self._started())
        passages = await self._passages()
        sources = prompt.sources_of(passages)
        await self._keep_sources(sources)
        self._events.send(
            SourcesFound(
                conversation_id=self.job.conversation_id,
                message_id=self.job.id,
                attempt=self.job.attempt,
                sources=sources,
            )
        )
        turns = await self._turns(passages)
        citer = Citer({n: passage.text for n, passage in enumerate(passages, start=1)})
        pieces: Any = self._tools.model.answer(turns)
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    self._events.write(citer.feed(piece))
        finally:
            self._events.write(citer.flush())  # also when the model breaks off: nothing is lost

    async def _turns(self, passages: Sequence[prompt.Passage]) -> list[prompt.Turn]:
        if self._tools.demo_model:
            return prompt.build_small(self.job.user_message, passages)
        return prompt.build(self.job.user_message, passages, await self._earlier())

    def _started(self) -> Started:
        return Started(
            conversation_id=self.job.conversation_id,
            message_id=self.job.id,
            attempt=self.job.attempt,
            user_message=self.job.user_message,
            model=ModelInfo(self._tools.model.name, self._tools.demo_model),
        )

    async def _passages(self) -> Sequence[prompt.Passage]:
        """From the book that is talked about, else from the whole library."""
        query, limit = prompt.search_query(self.job.user_message), self._tools.passages
        if self._tools.demo_model:
            limit = min(limit, prompt.SMALL_PASSAGES)
        library = self._tools.library
        found = await library.search_passages(query, book_id=self.job.book_id, limit=limit)
        if not found and self.job.book_id is not None:
            found = await library.search_passages(query, limit=limit)
        return found

    async def _earlier(self) -> list[tuple[str, str]]:
        rows = await queries.earlier_turns(
            self._tools.db, self.job.conversation_id, self.job.id, EARLIER_TURNS
        )
        return [(row["user_message"], row["ai_response"]) for row in rows]

    async def _keep_sources(self, sources: list[Source]) -> None:
        tools, job = self._tools, self.job
        await queries.set_sources(tools.db, job.id, tools.owner, job.fence, sources)

    async def _finish(self, status: AnswerStatus, error: str | None) -> None:
        """Commit the end, then tell it. Raises LeaseLost."""
        row = await self._commit_end(status, error)
        await self._events.close(last_word(row))
        log.info("answer.ended", message_id=self.job.id, status=status, error=error)

    async def _commit_end(self, status: AnswerStatus, error: str | None) -> Any:
        """Tried again while the lease lasts: the words are worth it."""
        tools, job = self._tools, self.job
        deadline = asyncio.get_running_loop().time() + tools.lease_s
        while True:
            try:
                row = await queries.finish(
                    tools.db, job.id, tools.owner, job.fence, status, self._events.text, error
                )
            except DATABASE_AWAY as fault:
                if asyncio.get_running_loop().time() > deadline:
                    raise LeaseLost from fault
                await asyncio.sleep(CHECKPOINT_S)
                continue
            if row is None:
                raise LeaseLost
            return row
