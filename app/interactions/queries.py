"""Named SQL of interactions; each answers whether anything was counted."""

from datetime import datetime

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
