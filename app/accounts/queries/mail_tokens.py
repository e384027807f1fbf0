"""Named SQL of mailed links. Indexes: the primary key, and one of a kind for each person."""

from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record

from app.infra.db import Queryable


async def replace_token(
    db: Queryable, token_hash: bytes, purpose: str, user_id: int, email: str, expires_at: datetime
) -> None:
    """A new link; the one of the same kind before it is worth nothing from now on."""
    await db.execute(
        """
        INSERT INTO mail_tokens (token_hash, purpose, user_id, email, expires_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (user_id, purpose) DO UPDATE SET token_hash = excluded.token_hash,
            email = excluded.email, created_at = now(), expires_at = excluded.expires_at
        """,
        token_hash,
        purpose,
        user_id,
        email,
        expires_at,
    )


async def owner_of(
    db: Queryable, token_hash: bytes, purposes: Sequence[str], at: datetime
) -> Record | None:
    """Whose link this is and what for, while it is good; it stays unused."""
    return await db.fetchrow(
        """
        SELECT t.user_id, t.purpose, t.email, u.name, u.email AS stored_email,
            u.email_verified_at IS NOT NULL AS is_verified
        FROM mail_tokens t JOIN users u ON u.id = t.user_id
        WHERE t.token_hash = $1 AND t.purpose = ANY($2) AND t.expires_at > $3
        """,
        token_hash,
        purposes,
        at,
    )


async def use_token(
    db: Queryable, token_hash: bytes, purposes: Sequence[str], at: datetime
) -> Record | None:
    """The same once: of two at the same time one gets None. Under the person's lock."""
    return await db.fetchrow(
        """
        DELETE FROM mail_tokens
        WHERE token_hash = $1 AND purpose = ANY($2) AND expires_at > $3
        RETURNING user_id, purpose, email, created_at
        """,
        token_hash,
        purposes,
        at,
    )


async def has_token(db: Queryable, user_id: int, purpose: str, at: datetime) -> bool:
    """Whether a link of this kind is still good."""
    found = await db.fetchval(
        "SELECT true FROM mail_tokens WHERE user_id = $1 AND purpose = $2 AND expires_at > $3",
        user_id,
        purpose,
        at,
    )
    return found is not None


async def unless_held(db: Queryable, row: Record | None) -> Record | None:
    """A row that was inserted just now; None, and no row, while an account may take its address
    back: else whoever moved the account away would keep it by opening another there.

    Asked after the insertion, which waits for a move that is on its way. Index: mail_tokens_undo.
    """
    if row is None:
        return None
    held = await db.fetchval(
        "SELECT true FROM mail_tokens WHERE purpose = 'undo' AND email = $1 AND expires_at > now()",
        row["email"],
    )
    if not held:
        return row
    await db.execute("DELETE FROM users WHERE id = $1", row["id"])
    return None


async def delete_tokens_of(db: Queryable, user_id: int, *, but: Sequence[str] = ()) -> None:
    """No link of a person is good any more, but for some kinds."""
    await db.execute(
        "DELETE FROM mail_tokens WHERE user_id = $1 AND purpose <> ALL($2)", user_id, list(but)
    )


async def delete_expired(db: Queryable, at: datetime) -> None:
    """Forget what is over. Index: mail_tokens_expires_at."""
    await db.execute("DELETE FROM mail_tokens WHERE expires_at < $1", at)
