"""Named SQL of sessions. Indexes: the primary key, `token_hash`, `sessions_user`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from asyncpg import Record

from app.accounts.schemas import Client, SessionView
from app.infra.db import Queryable
from app.kit.place import place_of
from app.kit.principal import SECOND_FACTORS, STAFF, Method, Principal, Role
from app.kit.text import storable
from app.kit.user_agent import device_of

Limits = tuple[float, float, float, float]
"""Idle and absolute seconds: staff idle, others idle, staff absolute, others absolute."""


def _ends_at(session: str, person: str) -> str:
    staff = f"{person}.role IN ('moderator', 'admin')"
    return f"""
    {session}.last_seen_at + make_interval(secs =>
        CASE WHEN {staff} THEN $1::float8 ELSE $2::float8 END),
    {session}.created_at + make_interval(secs =>
        CASE WHEN {staff} THEN $3::float8 ELSE $4::float8 END)
    """


def _is_open(person: str) -> str:
    is_over = f"coalesce({person}.deactivated_until <= now(), false)"
    return f"({person}.deactivated_at IS NULL OR {is_over})"


OPEN = _is_open("u")
ENDS_AT = f"least({_ends_at('s', 'u')}, s.ends_by, {_ends_at('o', 'a')})"
"""With an admin behind it a session also ends with theirs; `least` skips what is NULL."""
ALIVE = f"""
{OPEN} AND {ENDS_AT} > now()
AND (s.opened_by IS NULL OR (a.role = 'admin' AND {_is_open("a")}))
"""
SESSIONS = """
sessions s JOIN users u ON u.id = s.user_id
LEFT JOIN sessions o ON o.id = s.opened_by LEFT JOIN users a ON a.id = o.user_id
"""


async def insert_session(
    db: Queryable,
    session_id: str,
    token_hash: bytes,
    user_id: int,
    client: Client,
    methods: Sequence[str],
) -> None:
    """A new sign-in."""
    await db.execute(
        """
        INSERT INTO sessions (id, token_hash, user_id, user_agent, address, methods)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        session_id,
        token_hash,
        user_id,
        storable(client.user_agent),
        storable(client.address),
        list(methods),
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


async def insert_impersonation(
    db: Queryable,
    session_id: str,
    token_hash: bytes,
    user_id: int,
    client: Client,
    opener: Principal,
    ends_by: datetime,
) -> None:
    """A session that an admin opens in somebody's name; it proves nothing of that person."""
    await db.execute(
        """
        INSERT INTO sessions (id, token_hash, user_id, user_agent, address, impersonator_id,
            opened_by, ends_by, authenticated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'epoch')
        """,
        session_id,
        token_hash,
        user_id,
        storable(client.user_agent),
        storable(client.address),
        opener.user_id,
        opener.session_id,
        ends_by,
    )


async def hold_session(db: Queryable, session_id: str) -> bool:
    """Whether the session is there; so it stays until the commit."""
    sql = "SELECT true FROM sessions WHERE id = $1 FOR KEY SHARE"
    return await db.fetchval(sql, session_id) is not None


async def opener_of(db: Queryable, session_id: str) -> Record | None:
    """The admin's session behind an impersonation; both are locked."""
    return await db.fetchrow(
        """
        SELECT o.id, o.user_id, o.token_hash FROM sessions s JOIN sessions o ON o.id = s.opened_by
        WHERE s.id = $1 FOR NO KEY UPDATE OF s, o
        """,
        session_id,
    )


async def set_token(db: Queryable, session_id: str, token_hash: bytes) -> None:
    """The same session under another token."""
    await db.execute("UPDATE sessions SET token_hash = $2 WHERE id = $1", session_id, token_hash)


async def live_session(db: Queryable, key: bytes | str, limits: Limits) -> Record | None:
    """The person of a session that is neither idle nor old; found by token hash or by id."""
    column = "s.token_hash" if isinstance(key, bytes) else "s.id"
    return await db.fetchrow(
        f"""
        SELECT s.id AS session_id, s.last_seen_at, {ENDS_AT} AS ends_at,
            s.authenticated_at, s.methods, s.impersonator_id,
            u.id, u.email, u.name, u.role
        FROM {SESSIONS}
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
        FROM {SESSIONS}
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
        SELECT s.id, s.created_at, s.last_seen_at, s.user_agent, s.address, s.impersonator_id
        FROM {SESSIONS}
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
    """The session was used, and with it the one that opened it; at most once a minute each."""
    await db.execute(
        """
        UPDATE sessions SET last_seen_at = now()
        WHERE (id = $1 OR id = (SELECT opened_by FROM sessions WHERE id = $1))
            AND last_seen_at < now() - interval '1 minute'
        """,
        session_id,
    )


async def delete_session(db: Queryable, user_id: int, session_id: str) -> list[str]:
    """End one of a person's sign-ins and what it opened; the ids of those that ended."""
    return await _delete(db, "id = $1 AND user_id = $2", session_id, user_id)


async def delete_session_by_token(db: Queryable, token_hash: bytes) -> list[str]:
    """End the sign-in with this token and what it opened; the ids of those that ended."""
    return await _delete(db, "token_hash = $1", token_hash)


async def delete_sessions_of(db: Queryable, user_id: int, *, but: str | None = None) -> list[str]:
    """End every sign-in of a person, or every other than one, and what they opened; their ids.

    A sign-in that waits for its second step ends as well: its first proof may be what leaked.
    """
    await db.execute("DELETE FROM second_steps WHERE user_id = $1", user_id)
    return await _delete(db, "user_id = $1 AND id IS DISTINCT FROM $2", user_id, but)


async def delete_sessions_by(db: Queryable, user_id: int, method: Method, *, but: str) -> list[str]:
    """The same of a person's sign-ins that this method had a part in."""
    waiting = "DELETE FROM second_steps WHERE user_id = $1 AND $2 = ANY (methods)"
    await db.execute(waiting, user_id, method)
    return await _delete(
        db, "user_id = $1 AND $2 = ANY (methods) AND id <> $3", user_id, method, but
    )


async def _delete(db: Queryable, which: str, *args: object) -> list[str]:
    """The constraint would end what they opened as well, but would not say which those are."""
    rows: list[Any] = await db.fetch(
        f"""
        WITH chosen AS (SELECT id FROM sessions WHERE {which})
        DELETE FROM sessions
        WHERE id IN (SELECT id FROM chosen) OR opened_by IN (SELECT id FROM chosen) RETURNING id
        """,
        *args,
    )
    return [row["id"] for row in rows]


async def delete_ended_sessions(db: Queryable, limits: Limits) -> None:
    """Rows that let nobody in any more; reads the whole table, once an hour."""
    await db.execute(
        f"""
        DELETE FROM sessions WHERE id IN (SELECT s.id FROM {SESSIONS} WHERE NOT ({ALIVE}))
        """,
        *limits,
    )


def as_session(row: Record, current: str) -> SessionView:
    """A row as its owner sees it."""
    return SessionView(
        id=row["id"],
        created_at=row["created_at"],
        last_seen_at=row["last_seen_at"],
        device=device_of(row["user_agent"]),
        address=row["address"],
        place=place_of(row["address"]),
        is_current=row["id"] == current,
        by_admin=row["impersonator_id"] is not None,
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
