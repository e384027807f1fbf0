"""Named SQL of accounts, each on a unique index unless it names another."""

from datetime import datetime

from asyncpg import Record

from app.accounts.schemas import User
from app.infra.db import Queryable
from app.infra.listing import (
    CREATED_AT,
    Conditions,
    Listing,
    PageRequest,
    SortKey,
    escape_like,
    fetch_page,
)
from app.kit.principal import Principal, Role

OFFICES_LOCK = 0x51CE_DA6
"""Any constant of our own: PostgreSQL's advisory locks are numbers."""

USER = """
id, email, name, role, created_at, updated_at, version, deactivated_at, email_verified_at
"""

ENDS_AT = """
least(
    s.last_seen_at + make_interval(secs =>
        CASE WHEN u.role IN ('moderator', 'admin') THEN $2::float8 ELSE $3::float8 END),
    s.created_at + make_interval(secs =>
        CASE WHEN u.role IN ('moderator', 'admin') THEN $4::float8 ELSE $5::float8 END)
)
"""


async def insert_user(
    db: Queryable, email: str, password_hash: str, name: str | None
) -> Record | None:
    """The new row, or None when the address is taken."""
    return await db.fetchrow(
        f"""
        INSERT INTO users (email, password_hash, name) VALUES ($1, $2, $3)
        ON CONFLICT (email) DO NOTHING RETURNING {USER}
        """,
        email,
        password_hash,
        name,
    )


async def user_by_id(db: Queryable, user_id: int) -> Record | None:
    """One account."""
    return await db.fetchrow(f"SELECT {USER} FROM users WHERE id = $1::bigint", user_id)


async def credentials_by_email(db: Queryable, email: str) -> Record | None:
    """One account with its hash, for the login alone."""
    return await db.fetchrow(f"SELECT {USER}, password_hash FROM users WHERE email = $1", email)


async def set_password_hash(db: Queryable, user_id: int, password_hash: str) -> None:
    """Store a hash made with newer parameters."""
    await db.execute("UPDATE users SET password_hash = $2 WHERE id = $1", user_id, password_hash)


async def set_verified(db: Queryable, email: str) -> bool:
    """Mark an address as confirmed; False when there is no such account."""
    tag = await db.execute(
        "UPDATE users SET email_verified_at = coalesce(email_verified_at, now()) WHERE email = $1",
        email,
    )
    return tag != "UPDATE 0"


async def update_name(db: Queryable, user_id: int, name: str | None) -> Record:
    """The locked row with its new name."""
    row = await db.fetchrow(
        f"""
        UPDATE users SET name = $2, updated_at = now(), version = version + 1
        WHERE id = $1 RETURNING {USER}
        """,
        user_id,
        name,
    )
    return _present(row)


async def lock_user(db: Queryable, user_id: int) -> Record | None:
    """One account, locked until the transaction ends, for a change of role or status."""
    return await db.fetchrow(
        f"SELECT {USER} FROM users WHERE id = $1::bigint FOR NO KEY UPDATE", user_id
    )


async def lock_offices(db: Queryable) -> None:
    """One change of role or status at a time: two admins cannot both be the last but one."""
    await db.execute("SELECT pg_advisory_xact_lock($1)", OFFICES_LOCK)


async def active_admins(db: Queryable) -> int:
    """How many admins could sign in; stays true until the commit under `lock_offices`."""
    count: int = await db.fetchval(
        "SELECT count(*) FROM users WHERE role = 'admin' AND deactivated_at IS NULL"
    )
    return count


async def set_role(db: Queryable, user_id: int, role: str) -> Record:
    """The locked row with its new role."""
    row = await db.fetchrow(
        f"""
        UPDATE users SET role = $2, updated_at = now(), version = version + 1
        WHERE id = $1 RETURNING {USER}
        """,
        user_id,
        role,
    )
    return _present(row)


async def set_deactivated(
    db: Queryable, user_id: int, at: datetime | None, reason: str | None
) -> Record:
    """The locked row after closing (`at` set) or reopening (`at` None) the account."""
    row = await db.fetchrow(
        f"""
        UPDATE users SET deactivated_at = $2, deactivated_reason = $3,
            updated_at = now(), version = version + 1
        WHERE id = $1 RETURNING {USER}
        """,
        user_id,
        at,
        reason,
    )
    return _present(row)


async def insert_session(
    db: Queryable, session_id: str, token_hash: bytes, user_id: int, user_agent: str, address: str
) -> None:
    """A new sign-in."""
    await db.execute(
        """
        INSERT INTO sessions (id, token_hash, user_id, user_agent, address)
        VALUES ($1, $2, $3, $4, $5)
        """,
        session_id,
        token_hash,
        user_id,
        user_agent,
        address,
    )


async def live_session(
    db: Queryable, key: bytes | str, limits: tuple[float, float, float, float]
) -> Record | None:
    """The person of a session that is neither idle nor old; found by token hash or by id."""
    column = "s.token_hash" if isinstance(key, bytes) else "s.id"
    return await db.fetchrow(
        f"""
        SELECT s.id AS session_id, s.last_seen_at, {ENDS_AT} AS ends_at,
            u.id, u.email, u.name, u.role
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE {column} = $1 AND u.deactivated_at IS NULL AND {ENDS_AT} > now()
        """,
        key,
        *limits,
    )


async def live_sessions(
    db: Queryable, session_ids: list[str], limits: tuple[float, float, float, float]
) -> list[Record]:
    """Which of these sessions live, and in which role; found by primary key."""
    return await db.fetch(
        f"""
        SELECT s.id AS session_id, u.role
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.id = ANY($1) AND u.deactivated_at IS NULL AND {ENDS_AT} > now()
        """,
        session_ids,
        *limits,
    )


async def touch_session(db: Queryable, session_id: str) -> None:
    """The session was used; at most once a minute is written."""
    await db.execute(
        """
        UPDATE sessions SET last_seen_at = now()
        WHERE id = $1 AND last_seen_at < now() - interval '1 minute'
        """,
        session_id,
    )


async def delete_session(db: Queryable, session_id: str) -> None:
    """End one sign-in."""
    await db.execute("DELETE FROM sessions WHERE id = $1", session_id)


async def delete_sessions_of(db: Queryable, user_id: int) -> None:
    """End every sign-in of a person."""
    await db.execute("DELETE FROM sessions WHERE user_id = $1", user_id)


async def list_users(
    db: Queryable, *, q: str | None, role: str | None, status: str | None, page: PageRequest
) -> tuple[list[Record], str | None]:
    """One page of accounts. Indexes: users_role, users_created_at, users_search."""
    where = Conditions()
    where.add("(email || ' ' || coalesce(name, '')) ILIKE '%' || {} || '%'", escape_like(q))
    where.add("role = {}", role)
    if status is not None:
        state = "IS NULL" if status == "active" else "IS NOT NULL"
        where.terms.append(f"deactivated_at {state}")
    return await fetch_page(db, USERS, where, page)


USERS = Listing(
    select=f"SELECT {USER}, {{sort}} AS sort_value FROM users",
    sorts={
        "id": SortKey("id", int),
        "email": SortKey("email"),
        "name": SortKey("coalesce(name, '')"),
        "created_at": CREATED_AT,
    },
    default_sort="id",
)


def as_user(row: Record) -> User:
    """A row as the contract shows it."""
    return User(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        role=Role(row["role"]),
        status="active" if row["deactivated_at"] is None else "deactivated",
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
    )


def as_principal(row: Record) -> Principal:
    """A live session's person."""
    return Principal(
        user_id=row["id"],
        role=Role(row["role"]),
        session_id=row["session_id"],
        name=row["name"] or "",
        email=row["email"],
        session_ends_at=row["ends_at"].timestamp(),
    )


def _present(row: Record | None) -> Record:
    if row is None:
        raise AssertionError("accounts are never deleted")
    return row
