"""Named SQL of passkeys and their challenges. Indexes: both primary keys, `passkeys_user`."""

from asyncpg import Record

from app.accounts.schemas import PasskeyView
from app.infra.db import Queryable
from app.infra.passkeys import KnownPasskey, NewPasskey

PASSKEY = "id, name, is_synced, created_at, last_used_at"


async def insert_challenge(
    db: Queryable,
    challenge_hash: bytes,
    purpose: str,
    user_id: int | None,
    user_handle: bytes | None,
    lifetime_s: float,
) -> None:
    """What somebody was asked to sign, and what for."""
    await db.execute(
        """
        INSERT INTO passkey_challenges (challenge_hash, purpose, user_id, user_handle, expires_at)
        VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))
        """,
        challenge_hash,
        purpose,
        user_id,
        user_handle,
        float(lifetime_s),
    )


async def take_challenge(
    db: Queryable, challenge_hash: bytes, purpose: str, user_id: int | None
) -> Record | None:
    """The challenge, which no other answer finds again; None for a used, old or foreign one."""
    return await db.fetchrow(
        """
        DELETE FROM passkey_challenges
        WHERE challenge_hash = $1 AND purpose = $2 AND user_id IS NOT DISTINCT FROM $3
            AND expires_at > now()
        RETURNING user_handle
        """,
        challenge_hash,
        purpose,
        user_id,
    )


async def handle_of(db: Queryable, user_id: int) -> bytes | None:
    """What authenticators call this person, if one knows them."""
    handle: bytes | None = await db.fetchval(
        "SELECT user_handle FROM passkeys WHERE user_id = $1 ORDER BY id LIMIT 1", user_id
    )
    return handle


async def known_to(db: Queryable, user_id: int) -> list[KnownPasskey]:
    """A person's passkeys as browsers name them."""
    rows: list[Record] = await db.fetch(
        "SELECT credential_id, transports FROM passkeys WHERE user_id = $1 ORDER BY id", user_id
    )
    return [KnownPasskey(row["credential_id"], tuple(row["transports"])) for row in rows]


async def insert_passkey(
    db: Queryable, passkey_id: str, user_id: int, handle: bytes, name: str, shown: NewPasskey
) -> Record | None:
    """The new row; None when somebody has a passkey of this id already."""
    return await db.fetchrow(
        f"""
        INSERT INTO passkeys (
            id, user_id, user_handle, credential_id, public_key, sign_count, transports,
            is_synced, name
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (credential_id) DO NOTHING RETURNING {PASSKEY}
        """,
        passkey_id,
        user_id,
        handle,
        shown.credential_id,
        shown.public_key,
        shown.sign_count,
        list(shown.transports),
        shown.is_synced,
        name,
    )


async def owner_of(db: Queryable, credential_id: bytes) -> int | None:
    """Whose passkey this is."""
    user_id: int | None = await db.fetchval(
        "SELECT user_id FROM passkeys WHERE credential_id = $1", credential_id
    )
    return user_id


async def lock_key(db: Queryable, user_id: int, credential_id: bytes) -> Record | None:
    """What an answer is checked with, until the transaction ends."""
    return await db.fetchrow(
        """
        SELECT id, user_handle, public_key, sign_count FROM passkeys
        WHERE credential_id = $1 AND user_id = $2 FOR NO KEY UPDATE
        """,
        credential_id,
        user_id,
    )


async def note_use(db: Queryable, passkey_id: str, sign_count: int) -> None:
    """The passkey has signed."""
    await db.execute(
        "UPDATE passkeys SET sign_count = $2, last_used_at = now() WHERE id = $1",
        passkey_id,
        sign_count,
    )


async def list_passkeys(db: Queryable, user_id: int) -> list[PasskeyView]:
    """A person's passkeys, the oldest first; `MOST` bounds them."""
    rows = await db.fetch(f"SELECT {PASSKEY} FROM passkeys WHERE user_id = $1 ORDER BY id", user_id)
    return [as_passkey(row) for row in rows]


async def rename_passkey(
    db: Queryable, user_id: int, passkey_id: str, name: str
) -> PasskeyView | None:
    """The row with its new name; None when this person has no such passkey."""
    row = await db.fetchrow(
        f"UPDATE passkeys SET name = $3 WHERE id = $2 AND user_id = $1 RETURNING {PASSKEY}",
        user_id,
        passkey_id,
        name,
    )
    return as_passkey(row) if row else None


async def delete_passkey(db: Queryable, user_id: int, passkey_id: str) -> str | None:
    """The name of the passkey that is gone; None when this person had no such."""
    name: str | None = await db.fetchval(
        "DELETE FROM passkeys WHERE id = $2 AND user_id = $1 RETURNING name", user_id, passkey_id
    )
    return name


def as_passkey(row: Record) -> PasskeyView:
    """A row as its owner sees it."""
    return PasskeyView(
        id=row["id"],
        name=row["name"],
        is_synced=row["is_synced"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
    )
