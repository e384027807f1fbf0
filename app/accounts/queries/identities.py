"""Named SQL of linked identities and of journeys to their providers.

Indexes: the primary keys, `(provider, subject)`, `identities_user`, `federation_states_expires_at`.
"""

from asyncpg import Record

from app.accounts.queries.mail_tokens import unless_held
from app.accounts.queries.users import USER
from app.infra.db import Queryable
from app.infra.federation import Journey

SUBJECT_LOCK = 0x51C1
"""The first half of an advisory lock; the second is a hash of provider and subject."""


async def insert_state(
    db: Queryable,
    *,
    hashes: tuple[bytes, bytes],
    provider: str,
    journey: Journey,
    next_path: str,
    owner: tuple[int, str] | None,
    lifetime_s: int,
) -> None:
    """A journey begins; `hashes` are of state and browser, `owner` is who will have the link."""
    user_id, session_id = owner or (None, None)
    await db.execute(
        """
        INSERT INTO federation_states (
            state_hash, browser_hash, provider, nonce, verifier, redirect_uri, next_path,
            user_id, session_id, expires_at
        ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + make_interval(secs => $10::float8))
        """,
        *hashes,
        provider,
        journey.nonce,
        journey.verifier,
        journey.redirect_uri,
        next_path,
        user_id,
        session_id,
        float(lifetime_s),
    )


async def take_state(db: Queryable, state_hash: bytes, browser_hash: bytes) -> Record | None:
    """The journey of this browser, which is gone then: of two that ask at once, one gets it."""
    return await db.fetchrow(
        """
        DELETE FROM federation_states WHERE state_hash = $1 AND browser_hash = $2
        RETURNING provider, nonce, verifier, redirect_uri, next_path,
            user_id, session_id, expires_at > now() AS is_fresh
        """,
        state_hash,
        browser_hash,
    )


async def is_under_way(db: Queryable, state_hash: bytes) -> bool:
    """Whether some browser is on this journey."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT 1 FROM federation_states WHERE state_hash = $1)", state_hash
    )
    return found


async def delete_old_states(db: Queryable) -> None:
    """Journeys from which nobody came back."""
    await db.execute("DELETE FROM federation_states WHERE expires_at <= now()")


async def lock_subject(db: Queryable, provider: str, subject: str) -> None:
    """One arrival of the same person at a time, until the commit."""
    await db.execute(
        "SELECT pg_advisory_xact_lock($1::int, hashtext($2 || ' ' || $3))",
        SUBJECT_LOCK,
        provider,
        subject,
    )


async def owner_of(db: Queryable, provider: str, subject: str) -> int | None:
    """Whom this identity lets in."""
    user_id: int | None = await db.fetchval(
        "SELECT user_id FROM identities WHERE provider = $1 AND subject = $2", provider, subject
    )
    return user_id


async def lock_by_email(db: Queryable, email: str) -> Record | None:
    """The account with this address, locked until the transaction ends."""
    return await db.fetchrow(f"SELECT {USER} FROM users WHERE email = $1 FOR NO KEY UPDATE", email)


async def insert_verified_user(db: Queryable, email: str, name: str | None) -> Record | None:
    """A new account without a password; None when somebody took the address meanwhile."""
    row = await db.fetchrow(
        f"""
        INSERT INTO users (email, name, email_verified_at) VALUES ($1, $2, now())
        ON CONFLICT (email) DO NOTHING RETURNING {USER}
        """,
        email,
        name,
    )
    return await unless_held(db, row)


async def insert_identity(
    db: Queryable, identity_id: str, user_id: int, provider: str, subject: str, email: str | None
) -> None:
    """A new link, under `lock_subject`."""
    await db.execute(
        """
        INSERT INTO identities (id, user_id, provider, subject, email)
        VALUES ($1, $2, $3, $4, $5)
        """,
        identity_id,
        user_id,
        provider,
        subject,
        email,
    )


async def touch_identity(
    db: Queryable, user_id: int, provider: str, subject: str, email: str | None
) -> bool:
    """It lets its owner in, whose address there may be another now; False when it was cut."""
    tag = await db.execute(
        """
        UPDATE identities SET last_used_at = now(), email = coalesce($4, email)
        WHERE user_id = $1 AND provider = $2 AND subject = $3
        """,
        user_id,
        provider,
        subject,
        email,
    )
    return bool(tag != "UPDATE 0")


async def identities_of(db: Queryable, user_id: int) -> list[Record]:
    """A person's links, the oldest first."""
    return await db.fetch(
        """
        SELECT id, provider, email, created_at, last_used_at
        FROM identities WHERE user_id = $1 ORDER BY id
        """,
        user_id,
    )


async def delete_identity(db: Queryable, user_id: int, identity_id: str) -> str | None:
    """Its provider, when it was one of this person's links."""
    provider: str | None = await db.fetchval(
        "DELETE FROM identities WHERE id = $1 AND user_id = $2 RETURNING provider",
        identity_id,
        user_id,
    )
    return provider


async def has_password_or_passkey(db: Queryable, user_id: int) -> bool:
    """Whether a password or a passkey lets this person in; '' is no password."""
    found: bool = await db.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND coalesce(password_hash, '') <> '')
            OR EXISTS (SELECT 1 FROM passkeys WHERE user_id = $1)
        """,
        user_id,
    )
    return found
