"""S12: the audit log while its writer is killed again and again, and what anybody could do to it.

The deed is a report: its row and its entry are two tables, and are compared in both directions.
"""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec
import pytest

from app.audit.service import Audit
from tests.support.report import SEED, Report, sized
from tests.support.rooms import Rooms, add_person, open_rooms
from tests.support.servers import Database

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]
PROJECT = Path(__file__).resolve().parents[2]
DEEDS = sized(200, 100_000)
KILLS = sized(1, 50)
ROWS_CHANGED = sized(1, 12)
"""Of each column, besides the first and the last row."""
FIRST = 1_000
"""The targets are counted from here."""
CHANGES = {
    "at": "at + interval '1 microsecond'",
    "actor_id": "coalesce(actor_id, 0) + 1",
    "impersonator_id": "coalesce(impersonator_id, 0) + 1",
    "action": "action || 'x'",
    "target_type": "target_type || 'x'",
    "target_id": "target_id || 'x'",
    "detail": "detail || '{\"more\": 1}'",
    "previous_hash": "sha256('x')",
    "hash": "sha256('x')",
}
REFUSED = (
    "UPDATE audit_log SET action = 'x' WHERE id = 1",
    "DELETE FROM audit_log WHERE id = 1",
    "TRUNCATE audit_log",
    "ALTER TABLE audit_log DISABLE TRIGGER ALL",
    "DROP TRIGGER audit_log_append_only ON audit_log",
)


@asynccontextmanager
async def writer(
    url: str, user_id: int, numbers: Iterable[int]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that has these numbers to write; killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "tests.support.audit_writer", url, str(user_id), str(FIRST)],
        cwd=PROJECT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(list(numbers)))
    process.stdin.write_eof()
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def write_until(
    process: asyncio.subprocess.Process, acknowledged: set[int], kill_at: int
) -> None:
    """Note what was acknowledged; kill -9 when it is so many. What it said before still counts."""
    assert process.stdout is not None
    async for line in process.stdout:
        acknowledged.add(int(line))
        if len(acknowledged) == kill_at:
            process.kill()
    await process.wait()


async def write_all(rooms: Rooms, url: str, report: Report) -> None:
    """Every number until it is acknowledged: whoever got no answer asks again."""
    user_id = (await add_person(rooms.db)).user_id
    acknowledged: set[int] = set()
    chance = random.Random(SEED)
    for kill_at in [*sorted(chance.sample(range(1, DEEDS), KILLS)), DEEDS + 1]:
        left = (number for number in range(DEEDS) if number not in acknowledged)
        async with writer(url, user_id, left) as process:
            await write_until(process, acknowledged, kill_at)
        report.demand("a killed writer leaves a whole chain", (await rooms.audit.verify()).intact)
    report.demand("everything was acknowledged", len(acknowledged) == DEEDS)


async def compare(rooms: Rooms, report: Report) -> None:
    """One row and one entry for each deed, and none besides."""
    for sql in (
        "SELECT target_id FROM reports",
        "SELECT r.target_id FROM audit_log a LEFT JOIN reports r ON r.id::text = a.target_id",
    ):
        rows = Counter((row["target_id"] or 0) - FIRST for row in await rooms.db.fetch(sql))
        report.missing += len(set(range(DEEDS)) - rows.keys())
        report.duplicated += rows.total() - len(rows.keys() & set(range(DEEDS)))
    state = await rooms.audit.verify()
    report.demand("the chain is whole", state.intact)
    report.demand("and holds nothing else", state.entries == DEEDS)


async def is_found(audit: Audit, owner: Rooms, column: str, entry: int) -> bool:
    """Whether a change of one value is found at its row; put back afterwards."""
    before = await owner.db.fetchval(f"SELECT {column} FROM audit_log WHERE id = $1", entry)
    sql = f"UPDATE audit_log SET {column} = {{}} WHERE id = $1"
    await owner.db.execute(sql.format(CHANGES[column]), entry)
    state = await audit.verify()
    await owner.db.execute(sql.format("$2"), entry, before)
    return (state.intact, state.broken_at) == (False, entry)


async def tamper(rooms: Rooms, owner_url: str, report: Report) -> int:
    """How many changes by the owner of the table, without its guard, were tried and found."""
    tried = 0
    chance = random.Random(SEED)
    async with open_rooms(owner_url, pool_size=1) as owner:
        await owner.db.execute("ALTER TABLE audit_log DISABLE TRIGGER ALL")
        for column in CHANGES:
            for entry in (1, *chance.sample(range(2, DEEDS), ROWS_CHANGED), DEEDS):
                found = await is_found(rooms.audit, owner, column, entry)
                report.demand(f"a changed {column} of {entry} is found", found)
                tried += 1
        removed = chance.randrange(2, DEEDS)
        await owner.db.execute("DELETE FROM audit_log WHERE id = $1", removed)
        state = await rooms.audit.verify()
        report.demand("a removed row is found", state.broken_at == removed + 1)
    return tried + 1


async def test_s12_v16_4_2_killed_writers_and_tampering(
    fresh_database: Database,
) -> None:
    """Exactly one entry for each acknowledged deed, whenever its writer was killed; any change is
    found, and the app itself can make none."""
    report = Report("S12", events=DEEDS, clients=1)
    async with open_rooms(fresh_database.app_url, pool_size=2) as rooms:
        await write_all(rooms, fresh_database.app_url, report)
        await compare(rooms, report)
        for statement in REFUSED:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await rooms.db.execute(statement)
        tampered = await tamper(rooms, fresh_database.owner_url, report)
    report.extra = {"kills": KILLS, "tampered_and_found": tampered}
    report.conclude()
