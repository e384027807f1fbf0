"""The durable log of the `log` channels: an event is written in the transaction of its own fact.

`UPDATE channel_head` allots the offset and keeps the row locked until the commit, so offsets become
visible in order and without a hole; a rollback gives its number back. Lock order for writers: own
rows, then audit, then channels in the order of their names.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from app.infra.db import Database, Queryable
from app.kit.clock import now
from app.kit.ids import new_id
from realtime import Publication

KEPT = timedelta(days=30)
"""How far back a client may catch up; beyond it gets a snapshot."""

TRIM_BATCH = 5_000
"""Rows per DELETE, so that trimming never holds locks for long."""

APPEND = """
WITH head AS (
    INSERT INTO channel_head AS h (channel, epoch, last_offset) VALUES ($1, $2, 1)
    ON CONFLICT (channel) DO UPDATE SET last_offset = h.last_offset + 1
    RETURNING channel, last_offset, epoch
)
INSERT INTO channel_log (channel, log_offset, data, created_at)
SELECT channel, last_offset, $3::jsonb, $4 FROM head
RETURNING log_offset, (SELECT epoch FROM head) AS epoch
"""
HEADS = "SELECT channel, last_offset, epoch FROM channel_head WHERE channel = ANY($1::text[])"
RENEW = "UPDATE channel_head SET epoch = epoch || $1"
OPEN = "INSERT INTO channel_head (channel, epoch) VALUES ($1, $2) ON CONFLICT DO NOTHING"
# Relies on channel_log_pkey.
READ = """
SELECT log_offset, data::text AS data FROM channel_log
WHERE channel = $1 AND log_offset > $2 ORDER BY log_offset LIMIT $3
"""
# Relies on channel_log_created_at. A whole prefix goes: created_at follows the offset only nearly,
# and a hole in the middle would look like a loss.
TRIM = """
DELETE FROM channel_log l USING (
    SELECT channel, max(log_offset) AS last FROM (
        SELECT channel, log_offset FROM channel_log
        WHERE created_at < $1 ORDER BY created_at LIMIT $2
    ) old GROUP BY channel
) t
WHERE l.channel = t.channel AND l.log_offset <= t.last
"""


async def renew_epochs(db: Queryable) -> None:
    """After a restore: offsets that clients have seen may be given out a second time, so nobody may
    compare them with the old ones."""
    await db.execute(RENEW, f".{new_id()}")


class Position(NamedTuple):
    """Where a channel stands: offsets are comparable within one epoch only."""

    offset: int
    epoch: str


class DurableChannelLog:
    """Appends inside the caller's transaction; reads for hubs that recover (a DurableLog)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def append(self, tx: Queryable, channel: str, data: Any) -> Position:
        """Write one event; `data` is JSON bytes or anything that msgspec encodes.

        Publish it only after the commit: until then the offset may still be given back.
        """
        row = await tx.fetchrow(APPEND, channel, new_id(), _json_text(data), now())
        if row is None:
            raise AssertionError("INSERT ... RETURNING answers a row")
        return Position(row["log_offset"], row["epoch"])

    async def head(self, channel: str) -> Position:
        """The channel's position; a channel that never spoke is opened, so that its epoch lasts."""
        heads = await self._heads(self._db, [channel])
        if channel not in heads:
            await self._db.execute(OPEN, channel, new_id())
            heads = await self._heads(self._db, [channel])
        return heads[channel]

    async def head_within(self, tx: Queryable, channel: str) -> Position:
        """The position as the transaction's snapshot sees it; (0, "") for an unopened channel."""
        return (await self._heads(tx, [channel])).get(channel, Position(0, ""))

    async def heads(self, channels: Iterable[str]) -> dict[str, tuple[int, str]]:
        """The positions of those channels that were ever opened, in one look."""
        return dict(await self._heads(self._db, channels))

    async def read(self, channel: str, after: int, limit: int) -> list[Publication]:
        """The events after an offset, oldest first.

        A first offset above `after + 1` means that the part between was trimmed.
        """
        rows = await self._db.fetch(READ, channel, after, limit)
        return [Publication(data=row["data"].encode(), offset=row["log_offset"]) for row in rows]

    async def trim(self, older_than: timedelta = KEPT) -> int:
        """Forget the oldest events in batches; answers how many."""
        limit, total = now() - older_than, 0
        while True:
            tag = await self._db.execute(TRIM, limit, TRIM_BATCH)
            gone = int(tag.rpartition(" ")[2])
            total += gone
            if gone < TRIM_BATCH:
                return total

    async def _heads(self, db: Queryable, channels: Iterable[str]) -> dict[str, Position]:
        rows = await db.fetch(HEADS, list(channels))
        return {row["channel"]: Position(row["last_offset"], row["epoch"]) for row in rows}


def _json_text(data: Any) -> str:
    # The jsonb codec passes text unchanged: it is JSON already.
    return (data if isinstance(data, bytes) else msgspec.json.encode(data)).decode()
