"""Named SQL of the audit log. Indexes: audit_log_pkey, audit_log_target, audit_log_actor."""

from asyncpg import Record

from app.infra.db import Queryable

ENTRY = "id, at, actor_id, impersonator_id, action, target_type, target_id, detail, hash"


async def append_entry(
    db: Queryable,
    actors: tuple[int | None, int | None],
    action: str,
    target: tuple[str, str],
    detail: object,
) -> int:
    """The number of the new entry; a trigger numbers, dates and chains it.

    `actors` are who acted, and the admin who acted in their name.
    """
    entry_id: int = await db.fetchval(
        """
        INSERT INTO audit_log (actor_id, impersonator_id, action, target_type, target_id, detail)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
        """,
        *actors,
        action,
        *target,
        detail,
    )
    return entry_id


async def list_entries(
    db: Queryable,
    filters: tuple[int | None, str | None, str | None, str | None],
    before: int | None,
    limit: int,
) -> list[Record]:
    """The newest entries below `before` that fit (actor, action, target type, target id)."""
    return await db.fetch(
        f"""
        SELECT {ENTRY} FROM audit_log
        WHERE ($1::int IS NULL OR actor_id = $1)
          AND ($2::text IS NULL OR action = $2)
          AND ($3::text IS NULL OR target_type = $3)
          AND ($4::text IS NULL OR target_id = $4)
          AND ($5::bigint IS NULL OR id < $5)
        ORDER BY id DESC LIMIT $6
        """,
        *filters,
        before,
        limit,
    )


async def links_after(db: Queryable, entry_id: int, limit: int) -> list[Record]:
    """The next links of the chain, each with the hash that its row should have."""
    return await db.fetch(
        """
        SELECT id, previous_hash, hash, audit_hash(audit_log) AS expected
        FROM audit_log WHERE id > $1 ORDER BY id LIMIT $2
        """,
        entry_id,
        limit,
    )
