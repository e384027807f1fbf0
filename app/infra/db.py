"""PostgreSQL through one engine: piccolo and named SQL share its pool and transactions.

`synchronous_commit` stays on everywhere: what was answered with success survives a `kill -9`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import asyncpg
import msgspec
from asyncpg import Connection, Pool, Record
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction
from piccolo.table import Table

from app.kit.errors import AppError, BadRequest, Unavailable

CONNECT_TIMEOUT_S = 5.0
ACQUIRE_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 30.0
SESSION = {
    # How alike two words must look for `<%` and `%>`: at 0.5, "dikens" still finds Dickens.
    "pg_trgm.word_similarity_threshold": "0.5",
}
"""Session settings, given at the start of a connection; no statement changes them."""


class Queryable(Protocol):
    """What a named query needs: the Database, or the connection of one transaction."""

    async def fetch(self, query: str, *args: Any) -> list[Record]:
        """All rows."""
        ...

    async def fetchrow(self, query: str, *args: Any) -> Record | None:
        """The first row."""
        ...

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first column of the first row."""
        ...

    async def execute(self, query: str, *args: Any) -> str:
        """The command tag."""
        ...


class Engine(PostgresEngine):
    """piccolo's engine without its connection on construction: importing must stay silent."""

    async def check_version(self) -> None:
        """The server's version is checked by the migrations."""

    async def prep_database(self) -> None:
        """Extensions belong to the migrations."""


class Transaction(PostgresTransaction):
    """A transaction that can never outlive its block, even when its backend was killed inside."""

    async def get_connection(self) -> Connection:
        if self.engine.pool is None:
            return await self.engine.get_new_connection()
        return await self.engine.pool.acquire(timeout=ACQUIRE_TIMEOUT_S)

    async def begin(self) -> None:
        try:
            await super().begin()  # type: ignore[no-untyped-call]
        except BaseException:
            # piccolo keeps the connection: a client that left at this moment cost the pool one.
            if self.engine.pool is not None:
                await self.engine.pool.release(self.connection)
            raise

    async def __aexit__(self, kind: object, error: object, trace: object) -> bool:
        try:
            return await super().__aexit__(kind, error, trace)
        except BaseException:
            # piccolo resets neither the context variable nor the pool when ROLLBACK fails.
            self.engine.current_transaction.set(None)
            if self.engine.pool is not None:
                await self.engine.pool.release(self.connection)
            raise


BeforeCommit = Callable[[Queryable], Awaitable[None]]


class Database:
    """The pool and its transactions. One per process; `start` and `stop` belong to the lifespan.

    `before_commit` runs as the last part of every transaction and may refuse it by raising.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        before_commit: BeforeCommit | None = None,
        is_watched: Callable[[], bool] = lambda: False,
    ) -> None:
        """`before_commit` is called in every transaction, and, while `is_watched`, after each
        single statement that may write."""
        self._before_commit = before_commit
        self._is_watched = is_watched
        self.engine = Engine(config={"dsn": url, "timeout": CONNECT_TIMEOUT_S})
        self._pool_size = pool_size

    async def start(self, tables: Sequence[type[Table]] = ()) -> None:
        """Open the pool and bind piccolo's tables to it."""
        for table in tables:
            table._meta.db = self.engine  # noqa: SLF001  # piccolo's own way to name a table's engine
        await self.engine.start_connection_pool(
            min_size=1,
            max_size=self._pool_size,
            command_timeout=COMMAND_TIMEOUT_S,
            init=_prepare_connection,
            reset=_nothing_to_reset,
            server_settings=SESSION,
        )

    async def stop(self) -> None:
        """Close the pool; a second call does nothing."""
        if self.engine.pool is not None:
            await self.engine.close_connection_pool()

    @property
    def pool(self) -> Pool:
        """The asyncpg pool. Raises Unavailable before `start` and after `stop`."""
        if self.engine.pool is None:
            raise Unavailable("The database connection is closed")
        return self.engine.pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction; piccolo queries inside the block run in it too. Never nests."""
        async with Transaction(self.engine, allow_nested=False) as transaction:
            yield transaction.connection
            if self._before_commit is not None:
                await self._before_commit(transaction.connection)

    async def fetch(self, query: str, *args: Any) -> list[Record]:
        """All rows of one statement in its own transaction."""
        async with self._one_statement(query) as connection:
            rows: list[Record] = await connection.fetch(query, *args)
        return rows

    async def fetchrow(self, query: str, *args: Any) -> Record | None:
        """The first row of one statement in its own transaction."""
        async with self._one_statement(query) as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first value of one statement in its own transaction."""
        async with self._one_statement(query) as connection:
            return await connection.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        """Run one statement in its own transaction; answers the command tag."""
        async with self._one_statement(query) as connection:
            tag: str = await connection.execute(query, *args)
        return tag

    @asynccontextmanager
    async def _one_statement(self, query: str) -> AsyncIterator[Connection]:
        async with self.pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            if self._before_commit is None or not self._is_watched() or _only_reads(query):
                yield connection
                return
            async with connection.transaction():
                yield connection
                await self._before_commit(connection)


def _only_reads(query: str) -> bool:
    return query.lstrip()[:6].upper() == "SELECT"


async def _nothing_to_reset(_connection: Connection) -> None:
    """Spare every statement the second round trip of asyncpg's own reset.

    Nothing here outlives its transaction: locks are `pg_advisory_xact_lock`, settings are given
    when a connection begins. The driver itself still rolls back what was left open.
    """


async def _prepare_connection(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_jsonb, decoder=msgspec.json.decode
    )


def _encode_jsonb(value: Any) -> str:
    # piccolo hands JSONB over as finished text, named SQL as objects: text passes unchanged.
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def translate(fault: Exception) -> AppError | None:
    """A driver's failure as an expected error: away, or a value that PostgreSQL cannot store."""
    if isinstance(fault, AWAY):
        return Unavailable("The database is away; nothing was changed. Try again in a moment")
    if isinstance(fault, UNSTORABLE):
        return BadRequest("A value cannot be stored: it holds a NUL character or is out of range")
    return None


AWAY = (
    ConnectionError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    # The driver's own words when a backend dies between or inside two of its steps.
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
DATABASE_AWAY = (*AWAY, Unavailable)
"""The same for those who wait it out: they may also meet a pool that is not open."""
UNSTORABLE = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.UntranslatableCharacterError,
    asyncpg.NumericValueOutOfRangeError,
)
