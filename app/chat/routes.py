"""REST of the tutor: parse, call one verb, answer."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import JSONBody
from litestar.response import Stream

from app import __version__
from app.chat.schemas import (
    Answer,
    Asked,
    AskTutor,
    Conversation,
    ConversationSummary,
    Delta,
    Event,
    Info,
    Message,
    RenameConversation,
)
from app.chat.service import Chat
from app.http.origins import header
from app.http.params import Limit, OptionalCursor, PathId, PathWord
from app.http.reach import for_keys
from app.http.standing import Standing
from app.kit.paging import DEFAULT_PAGE, Page
from app.kit.principal import Principal, Scope

AnyRequest = Request[Any, Any, Any]

EVENT_STREAM = "text/event-stream"
LANGUAGES = ("en", "id")
STREAM_HEADERS = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # or nginx would keep the tokens until the end
}

ANY_EVENT: Any = Event
"""A union, which ResponseSpec takes without saying so."""

GROWING = ResponseSpec(ANY_EVENT, description="The answer as it grows", media_type=EVENT_STREAM)

_LAST_EVENT_ID = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
LOOK = for_keys(Scope.CATALOG_READ)
USE = for_keys(Scope.CHAT_USE)


@get("/info", operation_id="getInfo", opt=LOOK)
async def get_info(chat: NamedDependency[Chat]) -> Info:
    """What this installation is: its version, the tutor's model, the languages of its pages."""
    return Info("sicerdas", __version__, chat.model, LANGUAGES)


@post(
    "/chat",
    operation_id="askTutor",
    opt=USE,
    status_code=200,
    responses={200: GROWING},
)
async def ask_tutor(
    data: JSONBody[AskTutor],
    request: AnyRequest,
    principal: NamedDependency[Principal],
    chat: NamedDependency[Chat],
    standing: NamedDependency[Standing],
) -> Response[Answer]:
    """Ask the tutor and wait for the answer; with `Accept: text/event-stream` it comes as it grows.

    Going away does not stop the answer; the end of the session or key ends the waiting.
    """
    asked = await chat.ask(principal, data)
    if EVENT_STREAM in (header(request.scope, b"accept") or ""):
        events = chat.follow(await chat.message(principal, asked.message_id))
        return _stream(standing.while_in(principal, _frames(events, 0)))
    return Response(await standing.wait_for(principal, chat.answer(asked)))


@get("/chat/conversations", operation_id="listConversations", opt=USE)
async def list_conversations(
    principal: NamedDependency[Principal],
    chat: NamedDependency[Chat],
    limit: Limit = DEFAULT_PAGE,
    cursor: OptionalCursor = None,
) -> Page[ConversationSummary]:
    """One's own conversations, the last used first."""
    return await chat.list_conversations(principal, limit, cursor)


@get("/chat/conversations/{conversation_id:str}", operation_id="getConversation", opt=USE)
async def get_conversation(
    conversation_id: PathWord,
    principal: NamedDependency[Principal],
    chat: NamedDependency[Chat],
) -> Conversation:
    """One conversation with its newest turns, the text so far included."""
    return await chat.conversation(principal, conversation_id)


@put("/chat/conversations/{conversation_id:str}", operation_id="renameConversation", opt=USE)
async def rename_conversation(
    conversation_id: PathWord,
    data: JSONBody[RenameConversation],
    principal: NamedDependency[Principal],
    chat: NamedDependency[Chat],
) -> ConversationSummary:
    """Give a conversation another title."""
    return await chat.rename_conversation(principal, conversation_id, data)


@delete("/chat/conversations/{conversation_id:str}", operation_id="deleteConversation", opt=USE)
async def delete_conversation(
    conversation_id: PathWord,
    principal: NamedDependency[Principal],
    chat: NamedDependency[Chat],
) -> None:
    """Remove a conversation with everything that was said in it."""
    await chat.delete_conversation(principal, conversation_id)


@get("/chat/messages/{message_id:int}", operation_id="getMessage", opt=USE)
async def get_message(
    message_id: PathId,
    principal: NamedDependency[Principal],
    chat: NamedDependency[Chat],
) -> Message:
    """One turn as far as the database knows it."""
    return await chat.message(principal, message_id)


@get(
    "/chat/messages/{message_id:int}/events",
    operation_id="followAnswer",
    opt=USE,
    media_type=EVENT_STREAM,
    responses={200: GROWING},
)
async def follow_answer(
    message_id: PathId,
    request: AnyRequest,
    principal: NamedDependency[Principal],
    chat: NamedDependency[Chat],
    standing: NamedDependency[Standing],
) -> Response[bytes]:
    """An answer's events as `text/event-stream`; `Last-Event-ID` continues where a stream broke.
    It ends with the answer, or with the session or key that asked."""
    message = await chat.message(principal, message_id)
    known = _LAST_EVENT_ID.fullmatch(header(request.scope, b"last-event-id") or "0-0")
    attempt, pos = (int(known[1]), int(known[2])) if known else (0, 0)
    events = chat.follow(message, attempt, pos)
    return _stream(standing.while_in(principal, _frames(events, pos)))


@post("/chat/messages/{message_id:int}/stop", operation_id="stopAnswer", opt=USE, status_code=200)
async def stop_answer(
    message_id: PathId,
    principal: NamedDependency[Principal],
    chat: NamedDependency[Chat],
) -> Message:
    """Stop an answer; what it says so far stays."""
    return await chat.stop_answer(principal, message_id)


@post("/chat/messages/{message_id:int}/retry", operation_id="retryAnswer", opt=USE, status_code=202)
async def retry_answer(
    message_id: PathId,
    principal: NamedDependency[Principal],
    chat: NamedDependency[Chat],
) -> Asked:
    """Ask for an answer again that stopped short of its end."""
    return await chat.retry_answer(principal, message_id)


def _stream(frames: AsyncIterator[bytes]) -> Response[Any]:
    return Stream(frames, media_type=EVENT_STREAM, headers=STREAM_HEADERS)


async def _frames(events: AsyncIterator[Event | None], pos: int) -> AsyncGenerator[bytes]:
    """Server-sent events whose id is `<attempt>-<position>`; a comment keeps a quiet line open."""
    attempt = 0
    async for event in events:
        if event is None:
            yield b": quiet\n\n"
            continue
        if event.attempt != attempt:
            attempt, pos = event.attempt, 0 if attempt else pos
        if isinstance(event, Delta):
            pos = event.pos + len(event.text)
        yield b"id: %d-%d\ndata: %b\n\n" % (event.attempt, pos, msgspec.json.encode(event))


routes = [
    get_info,
    ask_tutor,
    list_conversations,
    get_conversation,
    rename_conversation,
    delete_conversation,
    get_message,
    follow_answer,
    stop_answer,
    retry_answer,
]
