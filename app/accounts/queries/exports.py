"""Named SQL of exports: one row for each person, by its primary key unless it says otherwise."""

from datetime import datetime

from asyncpg import Record

from app.infra.db import Queryable

EXPORT = "id, user_id, status, size, requested_at, ready_at, expires_at"


async def export_of(db: Queryable, user_id: int) -> Record | None:
    """A person's newest export that has not expired."""
    return await db.fetchrow(
        f"SELECT {EXPORT} FROM exports WHERE user_id = $1 AND expires_at > now()", user_id
    )


async def lock_export(db: Queryable, user_id: int) -> Record | None:
    """The same, expired or not, locked for a change."""
    return await db.fetchrow(
        f"SELECT {EXPORT} FROM exports WHERE user_id = $1 FOR NO KEY UPDATE", user_id
    )


async def replace_export(
    db: Queryable, user_id: int, export_id: str, expires_at: datetime
) -> Record | None:
    """A new export that waits to be made."""
    return await db.fetchrow(
        f"""
        INSERT INTO exports (user_id, id, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id) DO UPDATE SET
            id = excluded.id, status = 'waiting', size = NULL, requested_at = now(),
            ready_at = NULL, expires_at = excluded.expires_at
        RETURNING {EXPORT}
        """,
        user_id,
        export_id,
        expires_at,
    )


async def set_ready(db: Queryable, user_id: int, export_id: str, size: int) -> bool:
    """Whether it is still wanted: a newer one, or none, may stand in its place."""
    tag = await db.execute(
        """
        UPDATE exports SET status = 'ready', size = $3, ready_at = now()
        WHERE user_id = $1 AND id = $2 AND status = 'waiting'
        """,
        user_id,
        export_id,
        size,
    )
    return tag == "UPDATE 1"


async def delete_export(db: Queryable, user_id: int) -> str | None:
    """The id of what was there."""
    found: str | None = await db.fetchval(
        "DELETE FROM exports WHERE user_id = $1 RETURNING id", user_id
    )
    return found


async def delete_expired(db: Queryable, at: datetime) -> list[str]:
    """The ids of those whose time is over; exports_expires_at."""
    rows = await db.fetch("DELETE FROM exports WHERE expires_at <= $1 RETURNING id", at)
    return [row["id"] for row in rows]
