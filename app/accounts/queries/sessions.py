"""Named SQL of sessions. Indexes: the primary key, `token_hash`, `sessions_user`."""

from collections.abc import Sequence
from typing import Any

from asyncpg import Record

from app.accounts.schemas import Client, SessionView
from app.infra.db import Queryable
from app.kit.principal import SECOND_FACTORS, STAFF, Method, Principal, Role
from app.kit.text import storable
from app.kit.user_agent import device_of

Limits = tuple[float, float, float, float]
"""Idle and absolute seconds: staff idle, others idle, staff absolute, others absolute."""

ENDS_AT = """
least(
    s.last_seen_at + make_interval(secs =>
        CASE WHEN u.role IN ('moderator', 'admin') THEN $1::float8 ELSE $2::float8 END),
    s.created_at + make_interval(secs =>
        CASE WHEN u.role IN ('moderator', 'admin') THEN $3::float8 ELSE $4::float8 END)
)
"""
OPEN = "(u.deactivated_at IS NULL OR u.deactivated_until <= now())"
ALIVE = f"{OPEN} AND {ENDS_AT} > now()"


async def insert_session(
    db: Queryable,
    session_id: str,
    token_hash: bytes,
    user_id: int,
    client: Client,
    methods: Sequence[str],
    impersonator_id: int | None,
) -> None:
    """A new sign-in."""
    await db.execute(
        """
        INSERT INTO sessions
            (id, token_hash, user_id, user_agent, address, methods, impersonator_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        session_id,
        token_hash,
        user_id,
        storable(client.user_agent),
        storable(client.address),
        list(methods),
        impersonator_id,
    )


async def renew_session(
    db: Queryable, user_id: int, session_id: str, token_hash: bytes, methods: Sequence[str]
) -> bool:
    """Another token and a fresh proof for a sign-in that has not ended; False when it has."""
    tag = await db.execute(
        """
        UPDATE sessions SET token_hash = $3, authenticated_at = now(),
            methods = ARRAY(SELECT DISTINCT unnest(methods || $4::text[]) ORDER BY 1)
        WHERE id = $2 AND user_id = $1
        """,
        user_id,
        session_id,
        token_hash,
        list(methods),
    )
    return bool(tag == "UPDATE 1")


async def live_session(db: Queryable, key: bytes | str, limits: Limits) -> Record | None:
    """The person of a session that is neither idle nor old; found by token hash or by id."""
    column = "s.token_hash" if isinstance(key, bytes) else "s.id"
    return await db.fetchrow(
        f"""
        SELECT s.id AS session_id, s.last_seen_at, {ENDS_AT} AS ends_at,
            s.authenticated_at, s.methods, s.impersonator_id,
            u.id, u.email, u.name, u.role
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE {column} = $5 AND {ALIVE}
        """,
        *limits,
        key,
    )


async def live_sessions(db: Queryable, session_ids: list[str], limits: Limits) -> list[Record]:
    """Which of these sessions live, and in which role; found by primary key."""
    return await db.fetch(
        f"""
        SELECT s.id AS session_id, s.methods, u.role
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.id = ANY($5) AND {ALIVE}
        """,
        *limits,
        session_ids,
    )


async def live_sessions_of(
    db: Queryable, user_id: int, limits: Limits, before: str | None, limit: int
) -> list[Record]:
    """A person's sessions that still count, the newest first: their ids are in order of time."""
    rows: list[Record] = await db.fetch(
        f"""
        SELECT s.id, s.created_at, s.last_seen_at, s.user_agent, s.address
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.user_id = $5 AND {ALIVE} AND ($6::text IS NULL OR s.id < $6)
        ORDER BY s.id DESC LIMIT $7
        """,
        *limits,
        user_id,
        before,
        limit,
    )
    return rows


async def touch_session(db: Queryable, session_id: str) -> None:
    """The session was used; at most once a minute is written."""
    await db.execute(
        """
        UPDATE sessions SET last_seen_at = now()
        WHERE id = $1 AND last_seen_at < now() - interval '1 minute'
        """,
        session_id,
    )


async def delete_session(db: Queryable, user_id: int, session_id: str) -> bool:
    """End one of a person's sign-ins; False when they have no such."""
    tag = await db.execute(
        "DELETE FROM sessions WHERE id = $1 AND user_id = $2", session_id, user_id
    )
    return bool(tag != "DELETE 0")


async def delete_sessions_of(db: Queryable, user_id: int, *, but: str | None = None) -> list[str]:
    """End every sign-in of a person, or every other than one; the ids of those that ended.

    A sign-in that waits for its second step ends as well: its first proof may be what leaked.
    """
    rows: list[Any] = await db.fetch(
        """
        WITH waiting AS (DELETE FROM second_steps WHERE user_id = $1)
        DELETE FROM sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2 RETURNING id
        """,
        user_id,
        but,
    )
    return [row["id"] for row in rows]


async def delete_ended_sessions(db: Queryable, limits: Limits) -> None:
    """Rows that let nobody in any more; reads the whole table, once an hour."""
    await db.execute(
        f"DELETE FROM sessions s USING users u WHERE u.id = s.user_id AND NOT ({ALIVE})", *limits
    )


def as_session(row: Record, current: str) -> SessionView:
    """A row as its owner sees it."""
    return SessionView(
        id=row["id"],
        created_at=row["created_at"],
        last_seen_at=row["last_seen_at"],
        device=device_of(row["user_agent"]),
        address=row["address"],
        is_current=row["id"] == current,
    )


def rights_of(row: Record, *, staff_needs_two: bool) -> Role:
    """The role that counts in a session: an office rests until a second factor was given in it."""
    role = Role(row["role"])
    rests = staff_needs_two and role in STAFF and SECOND_FACTORS.isdisjoint(row["methods"])
    return Role.USER if rests else role


def as_principal(row: Record, fresh_s: float, *, staff_needs_two: bool) -> Principal:
    """A live session's person; a proof counts as fresh for `fresh_s` seconds."""
    role = rights_of(row, staff_needs_two=staff_needs_two)
    authenticated_at = row["authenticated_at"].timestamp()
    return Principal(
        user_id=row["id"],
        role=role,
        session_id=row["session_id"],
        name=row["name"] or "",
        email=row["email"],
        session_ends_at=row["ends_at"].timestamp(),
        authenticated_at=authenticated_at,
        methods=tuple(Method(method) for method in row["methods"]),
        impersonator_id=row["impersonator_id"],
        fresh_until=authenticated_at + fresh_s,
        owes_second_factor=role != row["role"],
    )
