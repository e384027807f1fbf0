"""Named SQL of interactions; each answers whether anything was counted."""

from datetime import datetime
from typing import Any

from app.infra.db import Queryable


async def insert_like(db: Queryable, user_id: int, book_id: int) -> bool:
    """A like, unless it stands already. interactions_one_like."""
    found = await db.fetchval(
        """
        INSERT INTO interactions (user_id, book_id, type) VALUES ($1, $2, 'like')
        ON CONFLICT (user_id, book_id) WHERE type = 'like' DO NOTHING RETURNING id
        """,
        user_id,
        book_id,
    )
    return found is not None


async def delete_like(db: Queryable, user_id: int, book_id: int) -> bool:
    """Take a like back, if there is one. interactions_one_like."""
    found = await db.fetchval(
        """
        DELETE FROM interactions WHERE user_id = $1 AND book_id = $2 AND type = 'like'
        RETURNING id
        """,
        user_id,
        book_id,
    )
    return found is not None


async def insert_once_per_window(
    db: Queryable, user_id: int, book_id: int, kind: str, viewer: bytes, window_start: datetime
) -> bool:
    """A view or download, unless this viewer's was counted. interactions_one_per_window."""
    found = await db.fetchval(
        """
        INSERT INTO interactions (user_id, book_id, type, viewer, window_start)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (viewer, book_id, type, window_start) WHERE type <> 'like' DO NOTHING
        RETURNING id
        """,
        user_id,
        book_id,
        kind,
        viewer,
        window_start,
    )
    return found is not None


async def counted_by(db: Queryable, user_id: int) -> list[dict[str, Any]]:
    """Everything that a person counted. interactions_user."""
    rows = await db.fetch(
        "SELECT book_id, type, timestamp FROM interactions WHERE user_id = $1 ORDER BY id", user_id
    )
    return [dict(row) for row in rows]


async def delete_likes_of(db: Queryable, user_id: int) -> list[int]:
    """Take all likes of a person back; their books, in the order in which counters are locked."""
    rows = await db.fetch(
        "DELETE FROM interactions WHERE user_id = $1 AND type = 'like' RETURNING book_id", user_id
    )
    return sorted(row["book_id"] for row in rows)


async def unname(db: Queryable, user_id: int) -> None:
    """Views and downloads stay counted, by nobody: not even the hash of the viewer is left."""
    await db.execute(
        """
        UPDATE interactions SET user_id = NULL, viewer = uuid_send(gen_random_uuid())
        WHERE user_id = $1
        """,
        user_id,
    )
