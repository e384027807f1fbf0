"""Named SQL of all ways into an account beside its password. Indexes: one on `user_id` each."""

from datetime import datetime

from app.accounts.schemas import KeptWay
from app.infra.db import Queryable

SINCE = {
    "totp_secrets": "coalesce(enabled_at, created_at)",
    "passkeys": "created_at",
    "identities": "created_at",
    "api_keys": "created_at",
}


async def forget_ways_in(db: Queryable, user_id: int, since: datetime | None = None) -> None:
    """Whoever made them from then on, or ever, was not this account's owner.

    Of recovery codes and of what is under way nobody knows since when: they all go.
    """
    for table, made_at in SINCE.items():
        await db.execute(
            f"""
            DELETE FROM {table}
            WHERE user_id = $1 AND ($2::timestamptz IS NULL OR {made_at} >= $2)
            """,
            user_id,
            since,
        )
    for table in ("recovery_codes", "passkey_challenges", "federation_states"):
        await db.execute(f"DELETE FROM {table} WHERE user_id = $1", user_id)


async def ways_kept(db: Queryable, user_id: int) -> list[KeptWay]:
    """What still lets this person in beside a password, the oldest first."""
    rows = await db.fetch(
        """
        SELECT 'totp' AS kind, '' AS name, enabled_at AS since
        FROM totp_secrets WHERE user_id = $1 AND enabled_at IS NOT NULL
        UNION ALL SELECT 'passkey', name, created_at FROM passkeys WHERE user_id = $1
        UNION ALL SELECT 'identity', provider, created_at FROM identities WHERE user_id = $1
        ORDER BY since
        """,
        user_id,
    )
    return [KeptWay(row["kind"], row["name"], row["since"]) for row in rows]
