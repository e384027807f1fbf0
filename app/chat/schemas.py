"""What goes in and out of the tutor: requests, turns, the events of an answer, and its errors."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from app.kit.errors import Conflict, TooManyRequests, Unavailable
from app.kit.ids import EntityId
from app.kit.text import Line

MESSAGE_MAX = 4000
NOT_BLANK = r"^(?=[\s\S]*\S)[^\x00]*$"

Question = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MESSAGE_MAX,
        pattern=NOT_BLANK,
        examples=["Why do cells need mitochondria?"],
    ),
]
RequestKey = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
"""What `Idempotency-Key` may be."""

ConversationId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[0-9a-z]+$")]


class AnswerStatus(StrEnum):
    """Where an answer stands; all but queued and running are final until a retry."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_final(self) -> bool:
        """Nobody is writing on this answer."""
        return self not in {AnswerStatus.QUEUED, AnswerStatus.RUNNING}


class AskTutor(Struct, frozen=True, forbid_unknown_fields=True):
    """A question; without `conversation_id` it opens a conversation, about `book_id` when given."""

    message: Question
    conversation_id: ConversationId | None = None
    book_id: EntityId | None = None


class SendQuestion(AskTutor, frozen=True, forbid_unknown_fields=True):
    """A question over the socket; under the same key it is asked once, whatever was lost."""

    idempotency_key: RequestKey | None = None


class RenameConversation(Struct, frozen=True, forbid_unknown_fields=True):
    """A new title."""

    title: Line


class NameMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """The turn that a `chat.stop` or `chat.retry` means."""

    message_id: EntityId


class Asked(Struct, frozen=True):
    """The answer is on its way: its events come on `chat:<conversation_id>`."""

    conversation_id: str
    message_id: int


class Source(Struct, frozen=True):
    """A passage of the library that the tutor was given; `[n]` in the text cites it."""

    n: int
    book_id: int
    chapter: int
    passage_id: str
    title: str
    quote: str


class Answer(Struct, frozen=True):
    """A finished answer."""

    conversation_id: str
    message_id: int
    text: str
    sources: Sequence[Source]


class Message(Struct, frozen=True):
    """One turn: what was asked and what has been answered so far."""

    id: int
    conversation_id: str
    user_message: str
    ai_response: str
    status: AnswerStatus
    sources: Sequence[Source]
    model: str | None
    error: str | None
    attempt: int
    created_at: datetime


class ConversationSummary(Struct, frozen=True):
    """A conversation in a list."""

    id: str
    title: str
    book_id: int | None
    created_at: datetime
    updated_at: datetime


class Conversation(Struct, frozen=True):
    """A conversation with its newest turns, oldest of them first."""

    id: str
    title: str
    book_id: int | None
    created_at: datetime
    updated_at: datetime
    messages: Sequence[Message]


class ConversationState(Struct, frozen=True):
    """What a subscriber of `chat:<conversation_id>` starts from; later deltas join it by `pos`."""

    conversation_id: str
    messages: Sequence[Message]


class ModelInfo(Struct, frozen=True):
    """The answering model; `demo` is the small one that `make run` brings."""

    name: str
    demo: bool


class Info(Struct, frozen=True):
    """What this installation is."""

    name: str
    version: str
    model: ModelInfo
    languages: Sequence[str]


class AnswerEvent(Struct, frozen=True, tag_field="type", kw_only=True):
    """What every event of an answer carries; a higher `attempt` replaces everything before."""

    conversation_id: str
    message_id: int
    attempt: int


class Started(AnswerEvent, frozen=True, tag="started", kw_only=True):
    """A worker has taken the question; the text begins empty."""

    user_message: str
    model: ModelInfo


class SourcesFound(AnswerEvent, frozen=True, tag="sources", kw_only=True):
    """The passages that the answer may cite; always before the first delta."""

    sources: Sequence[Source]


class Delta(AnswerEvent, frozen=True, tag="delta", kw_only=True):
    """More text; `pos` is where it begins, in code points: applying it twice is harmless."""

    pos: int
    text: str


class Completed(AnswerEvent, frozen=True, tag="completed", kw_only=True):
    """The whole answer."""

    text: str
    sources: Sequence[Source]


class Stopped(AnswerEvent, frozen=True, tag="stopped", kw_only=True):
    """Its owner stopped it; the text so far stays."""

    text: str
    sources: Sequence[Source]


class Failed(AnswerEvent, frozen=True, tag="failed", kw_only=True):
    """The model could not (go on to) answer; `error` is a stable code, the text so far stays."""

    text: str
    sources: Sequence[Source]
    error: str


class Interrupted(AnswerEvent, frozen=True, tag="interrupted", kw_only=True):
    """Its worker went away; the text so far stays and a retry is possible."""

    text: str
    sources: Sequence[Source]
    error: str


Event = Started | SourcesFound | Delta | Completed | Stopped | Failed | Interrupted
"""Everything that travels on `chat:<conversation_id>`."""

Terminal = Completed | Stopped | Failed | Interrupted
"""Exactly one of these ends each attempt."""


class AnswerInProgress(Conflict):
    """One answer per conversation at a time."""

    code = "answer-in-progress"
    title = "The tutor is still answering in this conversation"


class AnswerNotRetryable(Conflict):
    """A complete answer stays; a new question is the way on."""

    code = "answer-not-retryable"
    title = "This answer cannot be asked for again"


class TooManyAnswers(TooManyRequests):
    """The pace of one person; `retry_after` says when to come back, in seconds."""

    code = "too-many-answers"
    title = "That is a lot of questions; give the tutor a moment"


class ModelUnavailable(Unavailable):
    """No answering model could be reached; the question is kept."""

    code = "model-unavailable"
    title = "The tutor's model cannot be reached; your question is kept"


class AnswerBroken(Unavailable):
    """The model went silent or broke off; what it wrote is kept."""

    code = "model-broke-off"
    title = "The tutor's model broke off; what it wrote is kept"


class AnswerInterrupted(Unavailable):
    """The worker that wrote this answer went away; what it wrote is kept."""

    code = "answer-interrupted"
    title = "The answer was interrupted; ask for it again"


class AnswerPending(Unavailable):
    """The answer takes longer than this request may wait; it goes on."""

    code = "answer-pending"
    title = "The answer is not finished yet; look again in a moment"
