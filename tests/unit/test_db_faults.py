"""What the app makes of a database that dies: an outage, waited out, never a fault of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from app.infra import db as database
from app.infra.notify import Listener
from app.kit.errors import Unavailable
from app.realtime_terms import as_realtime_error
from tests.support.rooms import Rooms, open_rooms
from tests.support.servers import Database

CHANNEL = "test_notices"
WITHIN_S = 10
LISTENERS = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> $1"


@pytest.fixture
async def rooms(new_database: Callable[[], Database]) -> AsyncIterator[Rooms]:
    async with open_rooms(new_database().app_url) as opened:
        yield opened


@pytest.mark.parametrize(
    "fault",
    [
        asyncpg.InternalClientError("cannot switch to state 15; another operation is in progress"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        ConnectionRefusedError(),
    ],
)
def test_words_of_a_dying_connection_mean_away(fault: Exception) -> None:
    """Each was seen under load while PostgreSQL was killed with signal 9."""
    assert isinstance(database.translate(fault), Unavailable)
    told = as_realtime_error(fault)
    assert told is not None
    assert (told.code, told.message, told.temporary) == (108, "unavailable", True)


async def test_listener_survives_its_connection(rooms: Rooms) -> None:
    """A worker that loses the database listens again instead of ending with its answers."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    listening = asyncio.create_task(Listener(rooms.db, CHANNEL, heard.put_nowait).run())
    try:
        async with asyncio.timeout(WITHIN_S):
            assert await _notice(rooms, heard, "before")
            me = await rooms.db.fetchval("SELECT pg_backend_pid()")
            for row in await rooms.db.fetch(LISTENERS, me):
                await rooms.db.execute("SELECT pg_terminate_backend($1)", row["pid"])
            assert await _notice(rooms, heard, "after")
        assert not listening.done()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_caller_who_leaves_during_begin_costs_no_connection(
    new_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that closes while its command opens a transaction leaves the pool as it was."""
    start = asyncpg.transaction.Transaction.start

    async def leave(transaction: asyncpg.transaction.Transaction) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await start(transaction)

    async def command(db: database.Database) -> None:
        async with db.transaction():
            pytest.fail("nothing may happen after the cancellation")

    async with open_rooms(new_database().app_url, pool_size=2) as rooms:
        with monkeypatch.context() as patch:
            patch.setattr(asyncpg.transaction.Transaction, "start", leave)
            for _ in range(5):
                left = asyncio.create_task(command(rooms.db))
                (outcome,) = await asyncio.gather(left, return_exceptions=True)
                assert isinstance(outcome, asyncio.CancelledError)
        async with rooms.db.transaction() as tx:
            assert await tx.fetchval("SELECT 1") == 1


async def _notice(rooms: Rooms, heard: "asyncio.Queue[str]", text: str) -> bool:
    """Say it until it is heard: notices of the time without a listener are lost."""
    while True:
        await rooms.db.execute("SELECT pg_notify($1, $2)", CHANNEL, text)
        try:
            async with asyncio.timeout(0.1):
                while await heard.get() != text:
                    pass
        except TimeoutError:
            continue
        return True
