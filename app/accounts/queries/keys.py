"""Named SQL of API keys. Indexes: the primary key, `token_hash`, `api_keys_user`."""

from datetime import datetime

from asyncpg import Record

from app.accounts.queries.factors import has_second_factor
from app.accounts.queries.sessions import OPEN
from app.accounts.schemas import ApiKey
from app.infra.db import Queryable
from app.kit.principal import STAFF, Principal, Role, Scope

KEY = "id, name, hint, scopes, created_at, expires_at, last_used_at"


async def count_keys(db: Queryable, user_id: int) -> int:
    """How many a person has; stays true until the commit when the person's row is locked."""
    count: int = await db.fetchval("SELECT count(*) FROM api_keys WHERE user_id = $1", user_id)
    return count


async def insert_key(
    db: Queryable,
    key_id: str,
    user_id: int,
    *,
    name: str,
    hint: str,
    token_hash: bytes,
    scopes: list[Scope],
    expires_at: datetime | None,
) -> Record | None:
    """A new key."""
    return await db.fetchrow(
        f"""
        INSERT INTO api_keys (id, user_id, name, hint, token_hash, scopes, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {KEY}
        """,
        key_id,
        user_id,
        name,
        hint,
        token_hash,
        [scope.value for scope in scopes],
        expires_at,
    )


async def live_key(db: Queryable, key: bytes | str) -> Record | None:
    """A key that has not expired, with its owner, whose account is open; by token hash or by id."""
    column = "k.token_hash" if isinstance(key, bytes) else "k.id"
    return await db.fetchrow(
        f"""
        SELECT k.id AS key_id, k.scopes, k.last_used_at, u.id, u.email, u.name, u.role,
            {has_second_factor("u.id")} AS second_factor
        FROM api_keys k JOIN users u ON u.id = k.user_id
        WHERE {column} = $1 AND (k.expires_at IS NULL OR k.expires_at > now()) AND {OPEN}
        """,
        key,
    )


async def touch_key(db: Queryable, key_id: str) -> None:
    """The key was used; at most once a minute is written."""
    await db.execute(
        """
        UPDATE api_keys SET last_used_at = now()
        WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
        """,
        key_id,
    )


async def keys_of(db: Queryable, user_id: int, before: str | None, limit: int) -> list[Record]:
    """A person's keys, the newest first: their ids are in order of time."""
    return await db.fetch(
        f"""
        SELECT {KEY} FROM api_keys WHERE user_id = $1 AND ($2::text IS NULL OR id < $2)
        ORDER BY id DESC LIMIT $3
        """,
        user_id,
        before,
        limit,
    )


async def delete_key(db: Queryable, user_id: int, key_id: str) -> Record | None:
    """Revoke one of a person's keys; None when they have no such."""
    return await db.fetchrow(
        "DELETE FROM api_keys WHERE id = $1 AND user_id = $2 RETURNING name", key_id, user_id
    )


async def delete_keys_of(db: Queryable, user_id: int) -> list[str]:
    """Revoke all keys of a person; their ids."""
    rows = await db.fetch("DELETE FROM api_keys WHERE user_id = $1 RETURNING id", user_id)
    return [row["id"] for row in rows]


def as_key(row: Record) -> ApiKey:
    """A row as its owner sees it; a scope that is no longer known is left out."""
    return ApiKey(
        id=row["id"],
        name=row["name"],
        hint=row["hint"],
        scopes=sorted(_scopes(row)),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
    )


def as_program(row: Record, *, staff_needs_two: bool) -> Principal:
    """A program with the key of a person: there is no session, and nothing was proved of late.

    Where staff need a second factor, the office of an owner without one rests here as well.
    """
    role = Role(row["role"])
    owes = staff_needs_two and role in STAFF and not row["second_factor"]
    return Principal(
        user_id=row["id"],
        role=Role.USER if owes else role,
        owes_second_factor=owes,
        session_id="",
        name=row["name"] or "",
        email=row["email"],
        key_id=row["key_id"],
        scopes=_scopes(row),
    )


def _scopes(row: Record) -> frozenset[Scope]:
    known = set(Scope)
    return frozenset(Scope(word) for word in row["scopes"] if word in known)
