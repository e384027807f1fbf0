"""A tutor without HTTP: real PostgreSQL, realtime in memory, a scripted model, a small library."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from app.catalog.schemas import Passage
from app.chat import topics
from app.chat.queries import WAKE_CHANNEL
from app.chat.schemas import Asked, AskTutor, Message, ModelInfo
from app.chat.service import Chat
from app.chat.tutor.answering import Tools
from app.chat.tutor.pool import AnswerPool
from app.infra.db import Database
from app.infra.idempotency import IdempotencyKeys
from app.infra.llm import LanguageModel
from app.infra.notify import Listener
from app.kit.errors import AppError, NotFound
from app.kit.principal import Principal, Role
from app.kit.secret import Secret
from app.kit.tasks import end_task
from realtime import Identity, MemoryBroker, MemoryBus, Node, RealtimeError
from realtime.testing import Client, MemoryLog, token_is_user
from tests.support.fake_llm import FakeLLM

DEADLINE_S = 10.0
POLL_S = 0.02

_numbers = itertools.count(1)


@dataclass
class SmallLibrary:
    """Finds what a test put in; knows no rights but that book 404 is absent."""

    passages: list[Passage] = field(default_factory=list)
    searched: list[tuple[str, int | None]] = field(default_factory=list)

    async def search_passages(
        self, query: str, *, book_id: int | None = None, limit: int = 4
    ) -> list[Passage]:
        """Everything of the book, or everything."""
        self.searched.append((query, book_id))
        found = [p for p in self.passages if book_id is None or p.book_id == book_id]
        return found[:limit]

    async def visible_book(self, _viewer: Principal | None, book_id: int) -> None:
        """Raises NotFound for book 404."""
        if book_id == 404:
            raise NotFound


@dataclass
class Tutor:
    """Everything that a test of the tutor touches."""

    db: Database
    chat: Chat
    node: Node
    bus: MemoryBus
    library: SmallLibrary
    fake_llm: FakeLLM
    model_name: str = "scripted"

    async def reader(self) -> Principal:
        """A new person."""
        email = f"reader{next(_numbers)}@chat.example.org"
        user_id = await self.db.fetchval(
            "INSERT INTO users (email, password_hash) VALUES ($1, '-') RETURNING id", email
        )
        return Principal(user_id, Role.USER, "session", "Reader", email)

    async def ask(
        self, reader: Principal, message: str, conversation_id: str | None = None
    ) -> Asked:
        """Put a question."""
        return await self.chat.ask(reader, AskTutor(message, conversation_id))

    async def follower(self, reader: Principal, conversation_id: str) -> "Tab":
        """A browser tab on a conversation."""
        client = await self.connected(reader)
        tab = Tab(client, f"chat:{conversation_id}")
        tab.start(await client.subscribe(tab.channel))
        return tab

    async def connected(self, reader: Principal | None) -> Client:
        """A client without a socket."""
        identity = identity_of(reader) if reader else Identity()
        client = Client(self.node, identity, token_required=False)
        await client.connect()
        return client

    async def ended(self, reader: Principal, message_id: int) -> Message:
        """The turn once its status is final."""

        async def final() -> Message | None:
            message = await self.chat.message(reader, message_id)
            return message if message.status.is_final else None

        return await until(final)

    async def has_text(self, reader: Principal, message_id: int, length: int = 1) -> Message:
        """The turn once so much of its answer has been checkpointed."""

        async def long_enough() -> Message | None:
            message = await self.chat.message(reader, message_id)
            return message if len(message.ai_response) >= length else None

        return await until(long_enough)

    @asynccontextmanager
    async def worker(self, **changes: Any) -> AsyncIterator["Worker"]:
        """A worker process in this loop, drained at the end."""
        model = LanguageModel(
            base_url=changes.pop("base_url", self.fake_llm.base_url),
            api_key=Secret("tests"),
            model=self.model_name,
            max_tokens=100,
            first_token_s=5.0,
            idle_s=2.0,
        )
        concurrency = changes.pop("concurrency", 8)
        limits = {"lease_s": 2.0, "passages": 4, **changes}
        tools = Tools(
            db=self.db,
            library=self.library,
            model=model,
            publisher=self.node,
            owner=f"worker-{next(_numbers)}",
            **limits,
        )
        pool = AnswerPool(tools, concurrency=concurrency)
        listener = Listener(self.db, WAKE_CHANNEL, pool.hear)
        worker = Worker(pool, [asyncio.create_task(pool.run())])
        worker.tasks.append(asyncio.create_task(listener.run()))
        try:
            yield worker
        finally:
            await worker.leave()
            await model.stop()


@dataclass
class Worker:
    """A pool and its tasks."""

    pool: AnswerPool
    tasks: list[asyncio.Task[None]]

    async def leave(self) -> None:
        """SIGTERM: claim no more, drain, end."""
        self.pool.close()
        await self.pool.drain()
        await self.kill()

    async def kill(self) -> None:
        """kill -9, as far as others can see: every task ends where it stands."""
        await asyncio.gather(*map(end_task, self.tasks), self.pool.abandon())


class Tab:
    """What a page keeps of a conversation: snapshot, then events applied by position."""

    def __init__(self, client: Client, channel: str) -> None:
        self.client = client
        self.channel = channel
        self.texts: dict[int, str] = {}
        self.statuses: dict[int, str] = {}
        self.events: list[dict[str, Any]] = []
        self.holes = 0

    def start(self, result: dict[str, Any]) -> None:
        """Begin from the snapshot."""
        for message in result["data"]["messages"]:
            self.texts[message["id"]] = message["ai_response"]
            self.statuses[message["id"]] = message["status"]

    async def read_until_end(self, message_id: int) -> dict[str, Any]:
        """Apply events until the terminal one; the snapshot may have been final already."""
        status = self.statuses.get(message_id)
        if status not in {"queued", "running"}:
            return {"type": status, "text": self.texts[message_id]}
        while True:
            event = (await self.client.assert_push(self.channel))["data"]
            self.events.append(event)
            self.apply(event)
            ends = event["type"] in {"completed", "stopped", "failed", "interrupted"}
            if ends and event["message_id"] == message_id:
                self.statuses[message_id] = event["type"]
                return event

    def apply(self, event: dict[str, Any]) -> None:
        """One event; the terminal text is left out, so that a hole would show."""
        number = event["message_id"]
        if event["type"] == "started":
            self.texts[number], self.statuses[number] = "", "running"
        if event["type"] == "delta":
            text = self.texts.get(number, "")
            if event["pos"] > len(text):
                self.holes += 1
            else:
                self.texts[number] = text + event["text"][len(text) - event["pos"] :]

    def types(self, message_id: int) -> list[str]:
        """The kinds of events of a turn, deltas folded into one."""
        kinds = [event["type"] for event in self.events if event["message_id"] == message_id]
        return [kind for kind, _ in itertools.groupby(kinds)]


def identity_of(reader: Principal) -> Identity:
    """As the house makes it."""
    return Identity(str(reader.user_id), reader.session_id, context=reader)


def as_realtime_error(fault: Exception) -> RealtimeError | None:
    """As the house does it."""
    if isinstance(fault, AppError):
        return RealtimeError(fault.socket_code, fault.code, temporary=fault.is_temporary)
    return None


async def until(look: Callable[[], Awaitable[Any]], deadline_s: float = DEADLINE_S) -> Any:
    """The first truthy thing that is seen before the deadline."""
    async with asyncio.timeout(deadline_s):
        while not (seen := await look()):  # noqa: ASYNC110  # rows give no event
            await asyncio.sleep(POLL_S)
        return seen


@asynccontextmanager
async def new_tutor(database_url: str, fake_llm: FakeLLM, **changes: Any) -> AsyncIterator[Tutor]:
    """A tutor on a database of its own kind."""
    db, library, bus = Database(database_url, pool_size=12), SmallLibrary(), MemoryBus()
    node = Node(
        broker=MemoryBroker(bus),
        log=MemoryLog(),
        verify_token=token_is_user,
        map_error=as_realtime_error,
    )
    chat = Chat(
        db,
        library,
        node,
        model=ModelInfo("scripted", demo=False),
        **{"answers_per_minute": 1000, **changes},
    )
    node.register(topics.families(chat), topics.rpc_methods(chat, IdempotencyKeys(db)))
    await db.start()
    await node.start()
    try:
        yield Tutor(db, chat, node, bus, library, fake_llm)
    finally:
        await node.stop()
        await db.stop()
