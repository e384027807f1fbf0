"""Named SQL of people, each on a unique index unless it names another."""

from datetime import datetime

from asyncpg import Record

from app.accounts.queries.factors import has_second_factor
from app.accounts.queries.mail_tokens import unless_held
from app.accounts.schemas import ManagedUser, User, UserQuery
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
from app.infra.mail import Recipient
from app.kit.clock import now
from app.kit.language import Language
from app.kit.principal import Role

OFFICES_LOCK = 0x51CE_DA6
"""Any constant of our own: PostgreSQL's advisory locks are numbers."""

USER = """
id, email, name, role, created_at, updated_at, version, deactivated_at, deactivated_until,
deactivated_reason, email_verified_at, language
"""
HAS_SECOND_FACTOR = has_second_factor("users.id")
MANAGED = f"{USER}, last_sign_in_at, {HAS_SECOND_FACTOR} AS second_factor"
OPEN = "(deactivated_at IS NULL OR coalesce(deactivated_until <= now(), false))"


async def next_user_id(db: Queryable) -> int:
    """The number of an account that may be opened later; no other will ever have it."""
    return int(await db.fetchval("SELECT nextval('users_id_seq')"))


async def insert_user(
    db: Queryable,
    email: str,
    password_hash: str,
    name: str | None,
    language: Language = "en",
    *,
    user_id: int | None = None,
) -> Record | None:
    """The new row, or None when the address is taken."""
    row = await db.fetchrow(
        f"""
        INSERT INTO users (email, password_hash, name, language, id)
        VALUES ($1, $2, $3, $4, coalesce($5, nextval('users_id_seq')))
        ON CONFLICT (email) DO NOTHING RETURNING {USER}
        """,
        email,
        password_hash,
        name,
        language,
        user_id,
    )
    return await unless_held(db, row)


async def user_by_id(db: Queryable, user_id: int) -> Record | None:
    """One account."""
    return await db.fetchrow(f"SELECT {USER} FROM users WHERE id = $1::bigint", user_id)


async def user_by_email(db: Queryable, email: str) -> Record | None:
    """One account, by the address in its stored form."""
    return await db.fetchrow(f"SELECT {USER} FROM users WHERE email = $1", email)


async def recipient(db: Queryable, user_id: int) -> Recipient | None:
    """Where mail for a person goes."""
    row = await db.fetchrow("SELECT email, language FROM users WHERE id = $1", user_id)
    return Recipient(row["email"], row["language"]) if row else None


async def credentials_by_email(db: Queryable, email: str) -> Record | None:
    """One account with its hash, for the login alone."""
    return await db.fetchrow(f"SELECT {USER}, password_hash FROM users WHERE email = $1", email)


async def credentials_by_id(db: Queryable, user_id: int) -> Record | None:
    """One account with its hash, to ask for the password once more."""
    return await db.fetchrow(f"SELECT {USER}, password_hash FROM users WHERE id = $1", user_id)


async def lock_credentials(db: Queryable, user_id: int, password_hash: str) -> bool:
    """Whether the account is open and its hash still this one; so it stays until the commit."""
    found = await db.fetchval(
        f"""
        SELECT true FROM users
        WHERE id = $1 AND password_hash = $2 AND {OPEN} FOR NO KEY UPDATE
        """,
        user_id,
        password_hash,
    )
    return found is not None


async def set_password_hash(db: Queryable, user_id: int, password_hash: str | None) -> None:
    """Store another hash, or none, under a lock of the row."""
    await db.execute("UPDATE users SET password_hash = $2 WHERE id = $1", user_id, password_hash)


async def verify_user(db: Queryable, user_id: int) -> Record:
    """The locked row with its address marked as confirmed."""
    row = await db.fetchrow(
        f"""
        UPDATE users SET email_verified_at = coalesce(email_verified_at, now()),
            updated_at = now(), version = version + 1
        WHERE id = $1 RETURNING {USER}
        """,
        user_id,
    )
    return _present(row)


async def set_verified(db: Queryable, email: str) -> bool:
    """Mark an address as confirmed; False when there is no such account."""
    tag = await db.execute(
        "UPDATE users SET email_verified_at = coalesce(email_verified_at, now()) WHERE email = $1",
        email,
    )
    return tag != "UPDATE 0"


async def set_address(db: Queryable, user_id: int, email: str) -> Record:
    """The locked row with a confirmed address. Raises UniqueViolationError when it is another's."""
    row = await db.fetchrow(
        f"""
        UPDATE users SET email_verified_at = CASE
                WHEN email = $2 THEN coalesce(email_verified_at, now()) ELSE now()
            END,
            email = $2, updated_at = now(), version = version + 1
        WHERE id = $1 RETURNING {USER}
        """,
        user_id,
        email,
    )
    return _present(row)


async def note_sign_in(db: Queryable, user_id: int) -> None:
    """They came in just now; no change that anybody is told of."""
    await db.execute("UPDATE users SET last_sign_in_at = now() WHERE id = $1", user_id)


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
        f"""
        SELECT {USER} FROM users WHERE id = $1::bigint AND erased_at IS NULL FOR NO KEY UPDATE
        """,
        user_id,
    )


async def lock_offices(db: Queryable) -> None:
    """One change of role or status at a time: two admins cannot both be the last but one."""
    await db.execute("SELECT pg_advisory_xact_lock($1)", OFFICES_LOCK)


async def active_admins(db: Queryable) -> int:
    """How many admins could sign in; stays true until the commit under `lock_offices`."""
    count: int = await db.fetchval(f"SELECT count(*) FROM users WHERE role = 'admin' AND {OPEN}")
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
    db: Queryable,
    user_id: int,
    at: datetime | None,
    reason: str | None = None,
    until: datetime | None = None,
) -> Record:
    """The locked row after closing (`at` set) or reopening (`at` None) the account."""
    row = await db.fetchrow(
        f"""
        UPDATE users SET deactivated_at = $2, deactivated_reason = $3, deactivated_until = $4,
            updated_at = now(), version = version + 1
        WHERE id = $1 RETURNING {USER}
        """,
        user_id,
        at,
        reason,
        until,
    )
    return _present(row)


async def managed_user(db: Queryable, user_id: int) -> Record | None:
    """One account as admins see it."""
    sql = f"SELECT {MANAGED} FROM users WHERE id = $1::bigint AND erased_at IS NULL"
    return await db.fetchrow(sql, user_id)


async def list_users(
    db: Queryable, wanted: UserQuery, page: PageRequest
) -> tuple[list[Record], str | None]:
    """One page of accounts. Indexes: users_role, users_created_at, users_search,
    users_last_sign_in."""
    where = Conditions()
    where.terms.append("erased_at IS NULL")
    where.add("(email || ' ' || coalesce(name, '')) ILIKE '%' || {} || '%'", escape_like(wanted.q))
    where.add("role = {}", wanted.role)
    where.add(f"{OPEN} = {{}}", None if wanted.status is None else wanted.status == "active")
    where.add("(email_verified_at IS NOT NULL) = {}", wanted.verified)
    where.add(f"({HAS_SECOND_FACTOR}) = {{}}", wanted.second_factor)
    return await fetch_page(db, USERS, where, page)


USERS = Listing(
    select=f"SELECT {MANAGED}, {{sort}} AS sort_value FROM users",
    sorts={
        "id": SortKey("id", int),
        "email": SortKey("email"),
        "name": SortKey("coalesce(name, '')"),
        "created_at": CREATED_AT,
        "last_sign_in_at": SortKey("coalesce(last_sign_in_at, 'epoch')", datetime),
    },
    default_sort="id",
)


def is_deactivated(row: Record, at: datetime) -> bool:
    """Whether the account is closed at that time: without an end, or before it."""
    until = row["deactivated_until"]
    return row["deactivated_at"] is not None and (until is None or until > at)


def as_user(row: Record) -> User:
    """A row as the contract shows it."""
    return User(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        role=Role(row["role"]),
        status="deactivated" if is_deactivated(row, now()) else "active",
        email_verified=row["email_verified_at"] is not None,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
    )


def as_managed(row: Record) -> ManagedUser:
    """A row as admins see it."""
    return ManagedUser(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        role=Role(row["role"]),
        status="deactivated" if is_deactivated(row, now()) else "active",
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
        email_verified=row["email_verified_at"] is not None,
        second_factor=row["second_factor"],
        last_sign_in_at=row["last_sign_in_at"],
        deactivated_reason=row["deactivated_reason"] or None,
        deactivated_until=row["deactivated_until"],
    )


def _present(row: Record | None) -> Record:
    if row is None:
        raise AssertionError("accounts are never deleted")
    return row
