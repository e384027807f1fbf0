"""The audit chain on a real database."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from app.audit.schemas import AuditQuery
from app.kit.errors import Forbidden, InvalidInput
from app.kit.principal import Principal, Role
from tests.support.rooms import Rooms, open_rooms
from tests.support.servers import Database, Postgres

ADMIN = Principal(1, Role.ADMIN, "s", "Ada", "ada@example.org")
WRITERS, DEEDS = 20, 1000


@pytest.fixture
async def rooms(fresh_database: Database) -> AsyncIterator[Rooms]:
    async with open_rooms(fresh_database.app_url) as opened:
        yield opened


async def record(rooms: Rooms, n: int = 0, action: str = "thing.done") -> int:
    detail = {"n": n, "b": [1.5, None, "é"], "a": {"y": 1, "x": 2}}
    async with rooms.db.transaction() as tx:
        return await rooms.audit.record(
            tx, actor=ADMIN, action=action, target_type="thing", target_id=n, detail=detail
        )


async def test_empty_chain_is_intact(rooms: Rooms) -> None:
    """Nothing done, nothing broken."""
    state = await rooms.audit.verify()
    assert (state.intact, state.entries, state.head) == (True, 0, "")


async def test_concurrent_deeds_make_one_gapless_chain(rooms: Rooms) -> None:
    """Deeds of many writers form one chain without a hole, whatever their order."""

    async def write(first: int) -> list[int]:
        return [await record(rooms, n) for n in range(first, DEEDS, WRITERS)]

    written = await asyncio.gather(*(write(n) for n in range(WRITERS)))
    numbers = itertools.chain.from_iterable(written)
    state = await rooms.audit.verify()
    assert sorted(numbers) == list(range(1, DEEDS + 1))
    assert (state.intact, state.entries) == (True, DEEDS)


async def test_rolled_back_deed_is_not_in_the_chain(rooms: Rooms) -> None:
    """What did not happen is not written down."""

    async def fail() -> None:
        async with rooms.db.transaction() as tx:
            await rooms.audit.record(tx, actor=None, action="a.b", target_type="t", target_id=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await record(rooms) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET action = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "ALTER TABLE audit_log DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_log_append_only ON audit_log",
    ],
)
async def test_app_role_can_neither_change_nor_remove(rooms: Rooms, statement: str) -> None:
    """The application has no way to rewrite history."""
    await record(rooms)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await rooms.db.execute(statement)


async def test_owner_is_refused_too(rooms: Rooms, fresh_database: Database) -> None:
    """Even the owner of the table must first switch the guard off."""
    await record(rooms)
    async with open_rooms(fresh_database.owner_url) as owner:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.db.execute("TRUNCATE audit_log")


@pytest.mark.parametrize(
    ("deed", "broken_at"),
    [
        ("UPDATE audit_log SET detail = '{}' WHERE id = 3", 3),
        ("UPDATE audit_log SET actor_id = 9 WHERE id = 2", 2),
        ("UPDATE audit_log SET at = at + interval '1 microsecond' WHERE id = 5", 5),
        ("DELETE FROM audit_log WHERE id = 2", 3),
        ("DELETE FROM audit_log WHERE id = 1", 2),
        ("UPDATE audit_log SET hash = sha256('x') WHERE id = 4", 4),
    ],
)
async def test_change_behind_the_guard_is_found(
    rooms: Rooms, fresh_database: Database, postgres_server: Postgres, deed: str, broken_at: int
) -> None:
    """Whoever switches the guard off and changes a row is found out, at that row."""
    for n in range(5):
        await record(rooms, n)
    off = "ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only;"
    postgres_server.execute(f"{off} {deed};", fresh_database.name)
    state = await rooms.audit.verify()
    assert (state.intact, state.broken_at) == (False, broken_at)


CHANGES = {
    "at": "at + interval '1 second'",
    "actor_id": "coalesce(actor_id, 0) + 1",
    "impersonator_id": "coalesce(impersonator_id, 0) + 1",
    "action": "action || 'x'",
    "target_type": "target_type || 'x'",
    "target_id": "target_id || 'x'",
    "detail": "detail || '{\"more\": 1}'",
    "previous_hash": "sha256('x')",
    "hash": "sha256('x')",
}


async def test_v16_4_2_tampering_with_any_row_is_found(
    rooms: Rooms, fresh_database: Database
) -> None:
    """S12: every column of every row in turn, by the owner of the table without the guard."""
    for n in range(len(CHANGES) + 1):
        await record(rooms, n)
    async with open_rooms(fresh_database.owner_url, pool_size=1) as owner:
        await owner.db.execute("ALTER TABLE audit_log DISABLE TRIGGER ALL")
        for column, changed in CHANGES.items():
            for entry in range(1, len(CHANGES) + 2):
                before = await owner.db.fetchrow("SELECT * FROM audit_log WHERE id = $1", entry)
                assert before is not None
                sql = f"UPDATE audit_log SET {column} = {{}} WHERE id = $1"
                await owner.db.execute(sql.format(changed), entry)
                state = await rooms.audit.verify()
                assert (state.intact, state.broken_at) == (False, entry), (column, entry)
                await owner.db.execute(sql.format("$2"), entry, before[column])
    assert (await rooms.audit.verify()).intact


async def test_search_finds_words_and_times(rooms: Rooms) -> None:
    """Words in the action, the target and the detail; a time from which and one before which."""
    await record(rooms, 1)
    await record(rooms, 2, "book.removed")
    (newest,) = (await rooms.audit.list_entries(ADMIN, AuditQuery(q="BOOK.rem"))).items
    assert newest.action == "book.removed"

    async def ids(**wanted: Any) -> list[int]:
        page = await rooms.audit.list_entries(ADMIN, AuditQuery(**wanted))
        return [entry.id for entry in page.items]

    assert await ids(q='"n": 1') == [1]
    assert await ids(q="%") == []
    assert await ids(since=newest.at) == [2]
    assert await ids(until=newest.at) == [1]
    assert await ids(until=newest.at.astimezone(timezone(timedelta(hours=7)))) == [1]
    assert await ids(since=newest.at.replace(tzinfo=None)) == [2]
    with pytest.raises(InvalidInput):
        await ids(since=datetime.min.replace(tzinfo=timezone(timedelta(hours=7))))


async def test_actor_is_found_in_any_name(rooms: Rooms) -> None:
    """What an admin did as somebody else is among what that admin did."""
    await record(rooms)
    inside = replace(ADMIN, user_id=5, impersonator_id=1)
    async with rooms.db.transaction() as tx:
        await rooms.audit.record(tx, actor=inside, action="a.b", target_type="t", target_id=1)
    for actor_id, found in ((1, [2, 1]), (5, [2]), (9, [])):
        page = await rooms.audit.list_entries(ADMIN, AuditQuery(actor_id=actor_id))
        assert [entry.id for entry in page.items] == found


async def test_forged_row_gets_chained_like_any_other(rooms: Rooms) -> None:
    """A number, a date and hashes that a writer brings along count for nothing."""
    await record(rooms)
    await rooms.db.execute(
        "INSERT INTO audit_log (id, at, action, target_type, target_id, previous_hash, hash) "
        "VALUES (77, '2001-01-01', 'a.b', 't', '1', 'x', 'y')"
    )
    state = await rooms.audit.verify()
    assert (state.intact, state.entries) == (True, 2)


async def test_list_is_newest_first_and_paged(rooms: Rooms) -> None:
    """Pages follow each other without overlap."""
    for n in range(5):
        await record(rooms, n)
    first = await rooms.audit.list_entries(ADMIN, AuditQuery(), limit=3)
    rest = await rooms.audit.list_entries(ADMIN, AuditQuery(), limit=3, cursor=first.next)
    assert [entry.id for entry in (*first.items, *rest.items)] == [5, 4, 3, 2, 1]
    assert rest.next is None


async def test_list_keeps_to_its_filters(rooms: Rooms) -> None:
    """Every given filter must fit."""
    await record(rooms, 1)
    await record(rooms, 2, "other.done")
    wanted = AuditQuery(actor_id=1, action="other.done", target_type="thing", target_id="2")
    page = await rooms.audit.list_entries(ADMIN, wanted)
    assert [entry.detail["n"] for entry in page.items] == [2]


async def test_foreign_cursor_is_refused(rooms: Rooms) -> None:
    """A made-up cursor is an input error."""
    with pytest.raises(InvalidInput):
        await rooms.audit.list_entries(ADMIN, AuditQuery(), cursor="bm9uc2Vuc2U")


@pytest.mark.parametrize("role", [Role.USER, Role.TEACHER, Role.MODERATOR])
async def test_only_admins_read(rooms: Rooms, role: Role) -> None:
    """Nobody below admin reads or checks the log."""
    person = Principal(2, role, "s", "", "")
    with pytest.raises(Forbidden):
        await rooms.audit.list_entries(person, AuditQuery())
    with pytest.raises(Forbidden):
        await rooms.audit.check_chain(person)
