"""How long an `Idempotency-Key` holds: claims of the dead lapse, answers are kept for a day."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from app.infra.idempotency import IdempotencyKeys
from tests.support.idempotent_app import Bench, running
from tests.support.rooms import Rooms, open_rooms
from tests.support.servers import Database

WAIT_S = 10


@pytest.fixture(scope="module")
async def rooms(new_database: Callable[[], Database]) -> AsyncIterator[Rooms]:
    async with open_rooms(new_database().app_url) as opened:
        yield opened


@pytest.fixture
async def bench(rooms: Rooms) -> AsyncIterator[Bench]:
    async with running(rooms) as opened:
        yield opened


class TestLease:
    """A process that died holds its claim for the lease only."""

    async def claimed(self, rooms: Rooms, key: str, sql: str) -> IdempotencyKeys:
        keys = IdempotencyKeys(rooms.db)
        await keys.claim("1 POST /things/lease", key, b"f")
        await rooms.db.execute(f"UPDATE idempotency_key SET {sql} WHERE key = $1", key)
        return keys

    async def test_lapsed_claim_without_effect_is_taken_over(self, bench: Bench) -> None:
        """Nothing had happened: the retry carries it out; the late first one is refused."""
        first = asyncio.create_task(bench.send("lapsed", path="/slow/lapsed"))
        async with asyncio.timeout(WAIT_S):
            await bench.entered.wait()
        await bench.rooms.db.execute(
            "UPDATE idempotency_key SET locked_until = now() - interval '1 s' "
            "WHERE scope = '1 POST /slow/lapsed'"
        )
        bench.entered.clear()
        second = asyncio.create_task(bench.send("lapsed", path="/slow/lapsed"))
        async with asyncio.timeout(WAIT_S):
            await bench.entered.wait()
        bench.gate.set()
        assert sorted([(await first).status_code, (await second).status_code]) == [201, 409]
        assert (await second).status_code == 201
        assert await bench.effects("lapsed") == 1

    async def test_after_a_day_the_key_is_free(self, rooms: Rooms) -> None:
        """Answers are kept for 24 hours, even for another body."""
        old = "status = 200, headers = '[]', body = '', created_at = now() - interval '25 h'"
        keys = await self.claimed(rooms, "old", old)
        again = await keys.claim("1 POST /things/lease", "old", b"other")
        assert again.key == "old"

    async def test_trim_removes_what_is_old(self, rooms: Rooms) -> None:
        """The table does not grow for ever."""
        keys = await self.claimed(rooms, "trim", "created_at = now() - interval '25 h'")
        await keys.trim()
        sql = "SELECT count(*) FROM idempotency_key WHERE key = 'trim'"
        assert await rooms.db.fetchval(sql) == 0
