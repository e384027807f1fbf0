"""A house of its own to try everything in: people, and things that belong to them, made in passing.

Nothing of it is shared with other tests, so that anybody may delete, close and sign out anything.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import count

import httpx
import pytest

from app.accounts.queries import users
from app.accounts.schemas import Client
from app.accounts.schemas.privacy import ExportAsked
from app.catalog.schemas import Book, Category, CreateBook, CreateCategory, CreateGroup, Group
from app.chat.schemas import Asked, AskTutor
from app.http.sessions import COOKIE_NAME
from app.infra.jobs import Job
from app.kit.principal import Method, Principal, Role
from app.kit.secret import Secret
from app.reports.schemas import FileReport, Report
from app.settings import Settings
from tests.support.house import PASSWORD, Served, serve, with_settings
from tests.support.servers import Database

HERE = Client("tests", "127.0.0.1")


@dataclass(frozen=True)
class Actor:
    """Somebody with an account and a fresh session."""

    principal: Principal
    token: str

    @property
    def id(self) -> int:
        """Their number."""
        return self.principal.user_id

    @property
    def bearer(self) -> dict[str, str]:
        """The headers of a program."""
        return {"authorization": f"Bearer {self.token}"}

    @property
    def cookie(self) -> dict[str, str]:
        """The headers of a browser, but for where the request was made."""
        return {"cookie": f"{COOKIE_NAME}={self.token}"}


class World:
    """Makes people and things through the house's own services."""

    def __init__(self, served: Served, http: httpx.AsyncClient, password_hash: str) -> None:
        self.served = served
        self.house = served.house
        self.db = served.house.db
        self.http = http
        self._password_hash = password_hash
        self._numbers = count(1)

    def name(self, kind: str = "thing") -> str:
        """A word that was not used before."""
        return f"{kind} {next(self._numbers)}"

    async def someone(self, role: Role = Role.USER, email: str | None = None) -> Actor:
        """A new account with `PASSWORD`, signed in."""
        address = email or f"w{next(self._numbers)}@example.org"
        async with self.db.transaction() as tx:
            row = await users.insert_user(tx, address, self._password_hash, f"Name of {address}")
            assert row is not None
            await users.set_verified(tx, address)
            await tx.execute("UPDATE users SET role = $2 WHERE id = $1", row["id"], role.value)
        return await self.session_of(row["id"])

    async def session_of(self, user_id: int) -> Actor:
        """One more sign-in."""
        sessions = self.house.sessions
        async with self.db.transaction() as tx:
            token = await sessions.open_session(tx, user_id, HERE, [Method.PASSWORD])
        principal = await sessions.principal_by_token(token)
        assert principal is not None
        return Actor(principal, token)

    async def book(self) -> Book:
        """A book."""
        teacher = await self.someone(Role.TEACHER)
        return await self.house.catalog.create_book(
            teacher.principal, CreateBook(title=self.name("Book"))
        )

    async def category(self) -> Category:
        """A category with nothing in it."""
        teacher = await self.someone(Role.TEACHER)
        form = CreateCategory(name=self.name("Category"))
        return await self.house.shelves.create_category(teacher.principal, form)

    async def group(self) -> Group:
        """A group with nothing in it."""
        category = await self.category()
        teacher = await self.someone(Role.TEACHER)
        form = CreateGroup(name=self.name("Group"), category_id=category.id)
        return await self.house.shelves.create_group(teacher.principal, form)

    async def report(self, owner: Actor) -> Report:
        """A report by this person, about a new book."""
        book = await self.book()
        form = FileReport(target_type="book", target_id=book.id, reason="Wrong author")
        return (await self.house.reports.file_report(owner.principal, form))[0]

    async def question(self, owner: Actor, status: str = "completed") -> Asked:
        """A turn of this person's with the tutor, in a conversation of its own."""
        asked = await self.house.chat.ask(owner.principal, AskTutor(self.name("Question")))
        if status != "queued":
            await self.db.execute(
                "UPDATE chat_history SET status = $2 WHERE id = $1", asked.message_id, status
            )
        return asked

    async def finished_export(self, owner: Actor) -> None:
        """An archive as the worker would have made it."""
        await self.house.privacy.ask_export(owner.principal)
        job, asked = await self.job_of("accounts.export", owner.id)
        await self.house.privacy._make(job, asked)

    async def job_of(self, kind: str, user_id: int) -> tuple[Job, ExportAsked]:
        """A person's waiting export, taken as a worker takes it."""
        row = await self.db.fetchrow(
            """
            UPDATE jobs SET lease_owner = 'tests', lease_expires_at = now() + interval '1 min',
                fence = fence + 1, attempts = attempts + 1
            WHERE kind = $1 AND (payload ->> 'user_id')::int = $2
            RETURNING id, kind, attempts, fence, payload
            """,
            kind,
            user_id,
        )
        assert row is not None
        job = Job(row["id"], row["kind"], row["attempts"], row["fence"])
        return job, ExportAsked(**row["payload"])


@pytest.fixture(scope="session")
async def world(settings: Settings, new_database: Callable[[], Database]) -> AsyncIterator[World]:
    """An app with a database of its own and no worker."""
    database = new_database()
    own = with_settings(
        settings,
        database_url=Secret(database.app_url),
        database_owner_url=Secret(database.owner_url),
        redis_prefix="world:",
        answers_per_minute=1_000_000,
    )
    async with serve(own) as served, httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        yield World(served, http, await served.house.passwords.hash(PASSWORD))
