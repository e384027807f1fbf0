"""Named SQL of one-time codes, recovery codes and sign-ins in two steps, each on a primary key."""

from collections.abc import Iterable, Sequence

from asyncpg import Record

from app.accounts.schemas import Factor
from app.infra.db import Queryable


def has_second_factor(user_id: str) -> str:
    """SQL: whether the person of that column has a factor beside the password."""
    return f"""(
        EXISTS (SELECT FROM totp_secrets t WHERE t.user_id = {user_id} AND enabled_at IS NOT NULL)
        OR EXISTS (SELECT FROM passkeys p WHERE p.user_id = {user_id})
    )"""


async def enrolled(db: Queryable, user_id: int) -> Record:
    """Which factors count: `totp` (bool), `passkeys` and `recovery` (how many)."""
    row = await db.fetchrow(
        """
        SELECT
            EXISTS (SELECT FROM totp_secrets WHERE user_id = $1 AND enabled_at IS NOT NULL) AS totp,
            (SELECT count(*) FROM passkeys WHERE user_id = $1) AS passkeys,
            (SELECT count(*) FROM recovery_codes WHERE user_id = $1) AS recovery
        """,
        user_id,
    )
    if row is None:
        raise AssertionError("a SELECT without FROM has one row")
    return row


# --- authenticator apps


async def start_totp(db: Queryable, user_id: int, sealed: bytes) -> bool:
    """Keep a secret that does not count yet; False when there is one that does."""
    found = await db.fetchval(
        """
        INSERT INTO totp_secrets AS t (user_id, secret) VALUES ($1, $2)
        ON CONFLICT (user_id) DO UPDATE SET secret = $2, created_at = now(), last_step = 0
        WHERE t.enabled_at IS NULL
        RETURNING true
        """,
        user_id,
        sealed,
    )
    return found is not None


async def totp_of(db: Queryable, user_id: int) -> Record | None:
    """The sealed secret, its last used step, and since when it counts."""
    return await db.fetchrow(
        "SELECT secret, last_step, enabled_at FROM totp_secrets WHERE user_id = $1", user_id
    )


async def use_step(db: Queryable, user_id: int, step: int) -> bool:
    """Mark a step and all before it as used; False when another request was first."""
    tag = await db.execute(
        "UPDATE totp_secrets SET last_step = $2 WHERE user_id = $1 AND last_step < $2",
        user_id,
        step,
    )
    return tag == "UPDATE 1"


async def enable_totp(db: Queryable, user_id: int) -> None:
    """The secret counts from now on."""
    await db.execute("UPDATE totp_secrets SET enabled_at = now() WHERE user_id = $1", user_id)


async def delete_totp(db: Queryable, user_id: int) -> bool:
    """Forget the secret; False when none counted."""
    return bool(
        await db.fetchval(
            "DELETE FROM totp_secrets WHERE user_id = $1 RETURNING enabled_at IS NOT NULL", user_id
        )
    )


# --- recovery codes


async def replace_recovery_codes(db: Queryable, user_id: int, hashes: Iterable[bytes]) -> None:
    """These codes, and none of the old ones."""
    await db.execute("DELETE FROM recovery_codes WHERE user_id = $1", user_id)
    await db.execute(
        "INSERT INTO recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[])",
        user_id,
        list(hashes),
    )


async def use_recovery_code(db: Queryable, user_id: int, code_hash: bytes) -> bool:
    """Take a code away; False when there is no such code, or not any more."""
    tag = await db.execute(
        "DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2", user_id, code_hash
    )
    return tag == "DELETE 1"


# --- sign-ins that wait for their second step


async def insert_step(
    db: Queryable, token_hash: bytes, user_id: int, methods: Sequence[str], lifetime_s: float
) -> None:
    """A sign-in whose first proof was right."""
    await db.execute(
        """
        INSERT INTO second_steps (token_hash, user_id, methods, expires_at)
        VALUES ($1, $2, $3, now() + make_interval(secs => $4))
        """,
        token_hash,
        user_id,
        list(methods),
        float(lifetime_s),
    )


async def waiting_user(db: Queryable, token_hash: bytes) -> int | None:
    """Whose sign-in waits under this token; None when it waits no more."""
    user_id: int | None = await db.fetchval(
        "SELECT user_id FROM second_steps WHERE token_hash = $1 AND expires_at > now()", token_hash
    )
    return user_id


async def lock_step(db: Queryable, token_hash: bytes) -> Record | None:
    """The waiting sign-in, until the transaction ends."""
    return await db.fetchrow(
        """
        SELECT user_id, methods FROM second_steps
        WHERE token_hash = $1 AND expires_at > now() FOR UPDATE
        """,
        token_hash,
    )


async def end_step(db: Queryable, token_hash: bytes) -> None:
    """It has led to a session."""
    await db.execute("DELETE FROM second_steps WHERE token_hash = $1", token_hash)


async def count_wrong_try(db: Queryable, token_hash: bytes, most: int) -> None:
    """One more wrong answer; at `most` the sign-in must begin anew."""
    await db.execute(
        """
        UPDATE second_steps SET wrong_tries = wrong_tries + 1,
            expires_at = CASE WHEN wrong_tries + 1 >= $2 THEN now() ELSE expires_at END
        WHERE token_hash = $1
        """,
        token_hash,
        most,
    )


async def delete_over(db: Queryable) -> None:
    """Forget what waits no more. Indexes: second_steps_end, passkey_challenges_end."""
    await db.execute("DELETE FROM second_steps WHERE expires_at <= now()")
    await db.execute("DELETE FROM passkey_challenges WHERE expires_at <= now()")


async def delete_all_factors(db: Queryable, user_id: int) -> None:
    """Nothing but the first proof is left."""
    for table in ("totp_secrets", "recovery_codes", "passkeys", "passkey_challenges"):
        await db.execute(f"DELETE FROM {table} WHERE user_id = $1", user_id)


def ways_of(row: Record) -> list[Factor]:
    """The second steps that a person of these factors can take; none without a factor."""
    ways: list[Factor] = []
    if row["totp"]:
        ways.append("totp")
    if row["passkeys"]:
        ways.append("passkey")
    if ways and row["recovery"]:
        ways.append("recovery")
    return ways
