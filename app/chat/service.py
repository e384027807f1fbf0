"""The tutor as its readers meet it: ask, follow, stop, retry, and keep conversations.

Nothing here calls a model: a question is a row that a worker claims (`tutor/`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Any, Protocol

from app.chat import policy, queries
from app.chat.schemas import (
    Answer,
    AnswerBroken,
    AnswerInProgress,
    AnswerInterrupted,
    AnswerPending,
    AnswerStatus,
    Asked,
    AskTutor,
    Completed,
    Conversation,
    ConversationState,
    ConversationSummary,
    Event,
    Failed,
    Message,
    ModelInfo,
    ModelUnavailable,
    RenameConversation,
    Stopped,
    Terminal,
)
from app.chat.tutor.events import announce, channel_of
from app.chat.tutor.following import Tail, follow, published
from app.chat.tutor.transcript import merge
from app.chat.tutor.turns import last_word, message_from
from app.infra.db import Database, Queryable
from app.infra.listing import cursor_values
from app.infra.ratelimit import Pace, unhurried
from app.kit.errors import NotFound
from app.kit.ids import new_id
from app.kit.paging import Page, decode_cursor, encode_cursor
from app.kit.personal import Afterwards, Sections
from app.kit.principal import Principal
from app.kit.text import tidy

TURNS_SHOWN = 50
TITLE_CHARACTERS = 80
ANSWER_WAIT_S = 110.0
"""A plain JSON request waits so long at most; below the two minutes of common proxies."""


class Books(Protocol):
    """Where a conversation's book is looked up; the catalogue's service fits."""

    async def visible_book(self, viewer: Principal | None, book_id: int) -> Any:
        """Raises NotFound."""
        ...


class Chat:
    """Conversations with the tutor."""

    def __init__(
        self,
        db: Database,
        books: Books,
        tail: Tail,
        *,
        model: ModelInfo,
        answers_per_minute: int = 5,
        pace: Pace = unhurried,
    ) -> None:
        self.model = model
        self._db = db
        self._books = books
        self._tail = tail
        self._answers_per_minute = answers_per_minute
        self._pace = pace

    # --- questions and answers

    async def ask(self, principal: Principal, question: AskTutor) -> Asked:
        """Keep a question and wake a worker.

        Raises TooManyRequests, NotFound (conversation, book), AnswerInProgress, TooManyAnswers.
        """
        await self._pace(principal.user_id)
        if question.book_id is not None:
            await self._books.visible_book(principal, question.book_id)
        async with self._db.transaction() as tx:
            conversation_id = await self._thread_for(tx, principal, question)
            await self._check_pace(tx, principal)
            message_id = await queries.insert_turn(
                tx, principal.user_id, conversation_id, tidy(question.message)
            )
            await queries.wake_workers(tx, queries.ASK)
        return Asked(conversation_id, message_id)

    async def retry_answer(self, principal: Principal, message_id: int) -> Asked:
        """Ask for an answer again that stopped short.

        Raises NotFound, AnswerInProgress, AnswerNotRetryable, TooManyAnswers.
        """
        conversation_id = (await self.message(principal, message_id)).conversation_id
        async with self._db.transaction() as tx:
            # The thread first, then the turn: the order in which a deletion locks them too.
            await queries.lock_conversation(tx, conversation_id)
            row = await queries.lock_turn(tx, message_id)
            if row is None:
                raise NotFound("There is no such message")
            policy.can_retry(AnswerStatus(row["status"]))
            if await queries.has_open_answer(tx, conversation_id):
                raise AnswerInProgress
            await self._check_pace(tx, principal)
            await queries.requeue_turn(tx, message_id)
            await queries.touch_conversation(tx, conversation_id, None)
            await queries.wake_workers(tx, queries.ASK)
        return Asked(conversation_id, message_id)

    async def stop_answer(self, principal: Principal, message_id: int) -> Message:
        """Stop an answer; its text so far stays. A finished one stays as it is. Raises NotFound."""
        before = await self.message(principal, message_id)
        async with self._db.transaction() as tx:
            row = await queries.request_stop(tx, message_id)
            await queries.wake_workers(tx, f"{queries.STOP}{message_id}")
        if row is None:
            return before if before.status.is_final else await self.message(principal, message_id)
        message = message_from(row)
        if message.status.is_final:  # nobody had begun: there is no worker to tell it
            await announce(self._tail, last_word(row))
        return message

    async def answer(self, asked: Asked) -> Answer:
        """Wait for the end of an answer.

        Raises ModelUnavailable, AnswerBroken, AnswerInterrupted, AnswerPending, each with the ids.
        """
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                return _answer_or_raise(await self._end_of(asked))
        except TimeoutError as fault:
            raise AnswerPending(**_ids(asked)) from fault

    async def _end_of(self, asked: Asked) -> Terminal:
        row = await queries.turn_by_id(self._db, asked.message_id)
        if row is not None:
            events: Any = self.follow(message_from(row))
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Terminal):
                        return event
        raise NotFound("The conversation was deleted")

    def follow(
        self, message: Message, attempt: int = 0, pos: int = 0
    ) -> AsyncIterator[Event | None]:
        """The events of an answer from a position to its end; None marks a quiet second."""
        return follow(self._tail, self._turn, message, self.model, (attempt, pos))

    async def message(self, principal: Principal, message_id: int) -> Message:
        """One turn of one's own. Raises NotFound."""
        row = await queries.turn_by_id(self._db, message_id)
        if row is None or row["user_id"] != principal.user_id:
            raise NotFound("There is no such message")
        return message_from(row)

    async def _turn(self, message_id: int) -> Message | None:
        row = await queries.turn_by_id(self._db, message_id)
        return None if row is None else message_from(row)

    async def _thread_for(self, tx: Queryable, principal: Principal, question: AskTutor) -> str:
        """The named conversation, free for a question, or a new one."""
        if question.conversation_id is None:
            conversation_id = new_id()
            title = tidy(question.message).splitlines()[0][:TITLE_CHARACTERS]
            await queries.insert_conversation(
                tx, conversation_id, principal.user_id, title, question.book_id
            )
            return conversation_id
        row = await queries.lock_conversation(tx, question.conversation_id)
        policy.can_see_conversation(principal, row["user_id"] if row else None)
        if await queries.has_open_answer(tx, question.conversation_id):
            raise AnswerInProgress
        await queries.touch_conversation(tx, question.conversation_id, question.book_id)
        return question.conversation_id

    async def _check_pace(self, tx: Queryable, principal: Principal) -> None:
        await queries.lock_pace(tx, principal.user_id)
        window_s = policy.PACE_WINDOW.total_seconds()
        row = await queries.answers_since(tx, principal.user_id, window_s)
        policy.can_ask(row["answers"], self._answers_per_minute, row["oldest"], row["now"])

    # --- conversations

    async def list_conversations(
        self, principal: Principal, limit: int, cursor: str | None
    ) -> Page[ConversationSummary]:
        """One's own, the last used first. Raises InvalidInput for a foreign cursor."""
        before = decode_cursor(cursor, datetime, str) if cursor else None
        with cursor_values(cursor):
            rows = await queries.list_conversations(
                self._db, principal.user_id, limit + 1, (before[0], before[1]) if before else None
            )
        items = [_summary(row) for row in rows[:limit]]
        more = len(rows) > limit
        return Page(items, encode_cursor((items[-1].updated_at, items[-1].id)) if more else None)

    async def conversation(self, principal: Principal, conversation_id: str) -> Conversation:
        """One conversation with its newest turns. Raises NotFound."""
        summary = await self.visible_conversation(principal, conversation_id)
        state, _, _ = await self.state(conversation_id)
        return Conversation(
            summary.id,
            summary.title,
            summary.book_id,
            summary.created_at,
            summary.updated_at,
            state.messages,
        )

    async def visible_conversation(
        self, principal: Principal, conversation_id: str
    ) -> ConversationSummary:
        """A conversation of one's own. Raises NotFound: others' and absent ones look the same."""
        row = await queries.conversation_by_id(self._db, conversation_id)
        policy.can_see_conversation(principal, row["user_id"] if row else None)
        return _summary(row)

    async def rename_conversation(
        self, principal: Principal, conversation_id: str, change: RenameConversation
    ) -> ConversationSummary:
        """Give it another title. Raises NotFound."""
        await self.visible_conversation(principal, conversation_id)
        async with self._db.transaction() as tx:
            row = await queries.rename_conversation(tx, conversation_id, tidy(change.title))
        policy.can_see_conversation(principal, row["user_id"] if row else None)
        return _summary(row)

    async def delete_conversation(self, principal: Principal, conversation_id: str) -> None:
        """Remove it with all its turns; a running answer ends unheard. Raises NotFound."""
        await self.visible_conversation(principal, conversation_id)
        async with self._db.transaction() as tx:
            await queries.delete_conversation(tx, conversation_id)
        await self._tail.drop_tail(channel_of(conversation_id))

    async def personal_data(self, user_id: int) -> Sections:
        """Everything that a person and the tutor said."""
        return await queries.personal_rows(self._db, user_id)

    async def forget(self, tx: Queryable, user_id: int) -> Afterwards:
        """All conversations go; running answers end unheard."""
        gone = await queries.delete_conversations_of(tx, user_id)

        async def drop() -> None:
            for conversation_id in gone:
                await self._tail.drop_tail(channel_of(conversation_id))

        return drop

    async def state(self, conversation_id: str) -> tuple[ConversationState, int, str]:
        """The newest turns with the text so far, and the tail's offset and epoch they contain.

        The tail is read before the rows: what is in it was committed before, so that the rows are
        at least as new, and its deltas only ever extend them.
        """
        events, offset, epoch = await published(self._tail, conversation_id)
        rows = await queries.turns_of(self._db, conversation_id, TURNS_SHOWN)
        messages = merge([message_from(row) for row in rows], events)
        return ConversationState(conversation_id, messages), offset, epoch


def _summary(row: Any) -> ConversationSummary:
    return ConversationSummary(
        row["id"], row["title"], row["book_id"], row["created_at"], row["updated_at"]
    )


def _ids(of: Asked | Terminal) -> dict[str, Any]:
    return {"conversation_id": of.conversation_id, "message_id": of.message_id}


def _answer_or_raise(end: Terminal) -> Answer:
    if isinstance(end, Completed | Stopped):
        return Answer(end.conversation_id, end.message_id, end.text, end.sources)
    if not isinstance(end, Failed):
        raise AnswerInterrupted(**_ids(end))
    if end.error == AnswerBroken.code:
        raise AnswerBroken(**_ids(end))
    raise ModelUnavailable(**_ids(end))
