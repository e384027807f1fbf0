"""The durable log of the `log` channels."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest

from tests.support.rooms import Rooms, open_rooms
from tests.support.servers import Database

WRITERS = 50
EACH = 4
RACE = "race:1"
SETTLE_S = 30


@pytest.fixture(scope="module")
async def rooms(new_database: Callable[[], Database]) -> AsyncIterator[Rooms]:
    async with open_rooms(new_database().app_url) as opened:
        yield opened


class Rollback(Exception):
    """Ends a transaction without its effect."""


async def append(rooms: Rooms, channel: str, data: object, *, fails: bool = False) -> int:
    async with rooms.db.transaction() as tx:
        offset = (await rooms.log.append(tx, channel, data)).offset
        if fails:
            raise Rollback
    return offset


async def test_first_event_gets_offset_one_and_later_ones_follow(rooms: Rooms) -> None:
    """Offsets of a channel are 1, 2, 3 in the order of the commits."""
    assert [await append(rooms, "a:1", {"n": n}) for n in range(3)] == [1, 2, 3]


async def test_offsets_of_channels_are_independent(rooms: Rooms) -> None:
    """Every channel counts for itself."""
    await append(rooms, "b:1", {})
    assert await append(rooms, "b:2", {}) == 1


async def test_rollback_gives_its_offset_back(rooms: Rooms) -> None:
    """A fact that did not happen leaves no hole."""
    with pytest.raises(Rollback):
        await append(rooms, "c:1", {}, fails=True)
    assert await append(rooms, "c:1", {}) == 1


async def test_read_answers_the_events_after_an_offset(rooms: Rooms) -> None:
    """A reader gets what it has not seen, oldest first, up to its limit."""
    for n in range(5):
        await append(rooms, "d:1", {"n": n})
    read = await rooms.log.read("d:1", 2, 2)
    assert [(p.offset, msgspec.json.decode(p.data)) for p in read] == [(3, {"n": 2}), (4, {"n": 3})]


async def test_json_bytes_are_stored_as_they_are(rooms: Rooms) -> None:
    """Encoded events are not encoded twice."""
    await append(rooms, "e:1", b'{"text":"\xc3\xa9"}')
    (only,) = await rooms.log.read("e:1", 0, 10)
    assert msgspec.json.decode(only.data) == {"text": "é"}


async def test_epoch_of_a_silent_channel_lasts_until_it_speaks(rooms: Rooms) -> None:
    """Whoever subscribed before the first event can recover after it."""
    before = await rooms.log.head("f:1")
    await append(rooms, "f:1", {})
    after = await rooms.log.head("f:1")
    assert before.offset == 0
    assert after == (1, before.epoch)


async def test_two_first_looks_see_one_epoch(rooms: Rooms) -> None:
    """Opening a channel twice at once opens it once."""
    heads = await asyncio.gather(*(rooms.log.head("g:1") for _ in range(10)))
    assert len(set(heads)) == 1


async def test_heads_answer_the_channels_that_were_opened(rooms: Rooms) -> None:
    """One look serves a whole hub."""
    await append(rooms, "h:1", {})
    heads = await rooms.log.heads(["h:1", "h:never"])
    assert list(heads) == ["h:1"]
    assert heads["h:1"][0] == 1


async def write(rooms: Rooms, writer: int, chance: random.Random) -> int:
    """Try EACH times with pauses around the append; answers how many were kept."""
    kept = 0
    for n in range(EACH):
        with suppress(Rollback):
            async with rooms.db.transaction() as tx:
                await tx.execute("SELECT pg_sleep($1)", chance.random() / 500)
                await rooms.log.append(tx, RACE, {"writer": writer, "n": n})
                await tx.execute("SELECT pg_sleep($1)", chance.random() / 500)
                if chance.random() < 1 / 3:
                    raise Rollback
            kept += 1
    return kept


async def follow(rooms: Rooms, done: asyncio.Event) -> list[dict[str, int]]:
    """Everything a reader sees who looks all the time; fails at the first hole."""
    seen: list[dict[str, int]] = []
    while True:
        is_last = done.is_set()
        news = await rooms.log.read(RACE, len(seen), 1000)
        first = len(seen) + 1
        assert [p.offset for p in news] == list(range(first, first + len(news)))
        seen += [msgspec.json.decode(p.data) for p in news]
        if is_last:
            return seen


async def test_concurrent_writers_leave_no_hole_that_a_reader_could_see(rooms: Rooms) -> None:
    """50 writers, a third of them rolled back: at no moment does a reader miss an offset."""
    chance, done = random.Random(6), asyncio.Event()
    async with asyncio.timeout(SETTLE_S), asyncio.TaskGroup() as group:
        readers = [group.create_task(follow(rooms, done)) for _ in range(3)]
        writers = [group.create_task(write(rooms, n, chance)) for n in range(WRITERS)]
        kept = sum([await writer for writer in writers])
        done.set()
    assert (await rooms.log.head(RACE)).offset == kept
    for seen in (reader.result() for reader in readers):
        assert len(seen) == kept
        for writer in range(WRITERS):
            own = [event["n"] for event in seen if event["writer"] == writer]
            assert own == sorted(set(own))


async def test_trim_forgets_the_old_end_only(rooms: Rooms) -> None:
    """What is trimmed is a prefix; the head and the offsets stay."""
    for n in range(4):
        await append(rooms, "t:1", {"n": n})
    await rooms.db.execute(
        "UPDATE channel_log SET created_at = now() - interval '31 days' "
        "WHERE channel = 't:1' AND log_offset IN (1, 3)"
    )
    assert await rooms.log.trim(timedelta(days=30)) == 3
    assert [p.offset for p in await rooms.log.read("t:1", 0, 10)] == [4]
    assert await append(rooms, "t:1", {}) == 5
