"""Named SQL of what accounts keep of a person: shown in their export, gone with their account."""

from typing import Any

from app.infra.db import Queryable

SECTIONS = {
    "profile": """
        SELECT id, email, name, role, language, created_at, updated_at, email_verified_at,
            last_sign_in_at, password_hash IS NOT NULL AS has_password
        FROM users WHERE id = $1
    """,
    "sessions": """
        SELECT id, created_at, last_seen_at, user_agent, address, authenticated_at, methods,
            impersonator_id
        FROM sessions WHERE user_id = $1 ORDER BY created_at
    """,
    "api_keys": """
        SELECT id, name, hint, scopes, created_at, expires_at, last_used_at
        FROM api_keys WHERE user_id = $1 ORDER BY id
    """,
    "identities": """
        SELECT provider, subject, email, created_at, last_used_at
        FROM identities WHERE user_id = $1 ORDER BY id
    """,
    "authenticator_app": """
        SELECT created_at, enabled_at FROM totp_secrets WHERE user_id = $1
    """,
    "recovery_codes": "SELECT count(*) AS unused FROM recovery_codes WHERE user_id = $1",
    "passkeys": """
        SELECT id, name, is_synced, created_at, last_used_at
        FROM passkeys WHERE user_id = $1 ORDER BY id
    """,
    "mailed_links": """
        SELECT purpose, email, created_at, expires_at FROM mail_tokens WHERE user_id = $1
    """,
    "open_sign_ins": """
        SELECT 'second step' AS waits_for, expires_at FROM second_steps WHERE user_id = $1
        UNION ALL
        SELECT purpose, expires_at FROM passkey_challenges WHERE user_id = $1
        UNION ALL
        SELECT provider, expires_at FROM federation_states WHERE user_id = $1
    """,
    "exports": """
        SELECT id, status, size, requested_at, ready_at, expires_at
        FROM exports WHERE user_id = $1
    """,
}
"""By section of the export; whatever is secret, or a hash of it, is left out."""

OWNED = (
    "api_keys",
    "identities",
    "totp_secrets",
    "recovery_codes",
    "passkeys",
    "passkey_challenges",
    "second_steps",
    "federation_states",
    "mail_tokens",
    "exports",
    "sessions",
)
"""Tables whose rows go with their person; each has an index on `user_id`."""

ERASE = """
UPDATE users SET
    email = 'erased-' || id || '@account.invalid', password_hash = NULL, name = NULL,
    role = 'user', email_verified_at = NULL, deactivated_at = now(), deactivated_until = NULL,
    deactivated_reason = NULL, last_sign_in_at = NULL, erased_at = now(), updated_at = now(),
    version = version + 1
WHERE id = $1
"""


async def personal_rows(db: Queryable, user_id: int) -> dict[str, list[dict[str, Any]]]:
    """Every section with its rows."""
    found = {name: await db.fetch(sql, user_id) for name, sql in SECTIONS.items()}
    return {name: [dict(row) for row in rows] for name, rows in found.items()}


async def forget_rows(db: Queryable, user_id: int, channel: str) -> None:
    """All rows that are the person's own, their events and their kept answers."""
    for table in OWNED:
        await db.execute(f"DELETE FROM {table} WHERE user_id = $1", user_id)
    await db.execute("DELETE FROM sessions WHERE impersonator_id = $1", user_id)
    await db.execute("DELETE FROM channel_log WHERE channel = $1", channel)
    # The claim of the request that asks for this has no body, and goes on.
    await db.execute(
        "DELETE FROM idempotency_key WHERE starts_with(scope, $1) AND body IS NOT NULL",
        f"{user_id} ",
    )


async def erase_user(db: Queryable, user_id: int) -> None:
    """What stays is a number without a name, an address or a way in."""
    await db.execute(ERASE, user_id)
