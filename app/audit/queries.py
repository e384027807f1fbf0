"""Named SQL of the audit log.

Indexes: audit_log_pkey, audit_log_target, audit_log_actor, audit_log_at, audit_log_search.
"""

from typing import Any

from asyncpg import Record

from app.audit.schemas import AuditQuery
from app.infra.db import Queryable
from app.infra.listing import Conditions, escape_like

ENTRY = "id, at, actor_id, impersonator_id, action, target_type, target_id, detail, hash"
SEARCHED = "(action || ' ' || target_type || ' ' || target_id || ' ' || detail::text)"


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
    db: Queryable, wanted: AuditQuery, before: int | None, limit: int
) -> list[Record]:
    """The newest entries below `before` that fit every given filter."""
    where = Conditions()
    where.add(f"{SEARCHED} ILIKE '%' || {{}} || '%'", escape_like(wanted.q))
    if wanted.actor_id is not None:
        who = where.param(wanted.actor_id)
        where.terms.append(f"(actor_id = {who} OR impersonator_id = {who})")
    where.add("action = {}", wanted.action)
    where.add("target_type = {}", wanted.target_type)
    where.add("target_id = {}", wanted.target_id)
    where.add("at >= {}", wanted.since)
    where.add("at < {}", wanted.until)
    where.add("id < {}", before)
    return await db.fetch(
        f"SELECT {ENTRY} FROM audit_log WHERE {' AND '.join(where.terms)}"
        f" ORDER BY id DESC LIMIT {where.param(limit)}",
        *where.args,
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


async def deeds_of(db: Queryable, user_id: int) -> list[dict[str, Any]]:
    """What a person did, and what others did in their name or to their account."""
    rows = await db.fetch(
        """
        SELECT id, at, actor_id, impersonator_id, action, target_type, target_id, detail
        FROM audit_log
        WHERE actor_id = $1::bigint OR (target_type = 'user' AND target_id = $1::bigint::text)
        ORDER BY id
        """,
        user_id,
    )
    return [dict(row) for row in rows]
