"""Somebody who has left something in every table that names people."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from app.kit.clock import now
from app.kit.principal import Role
from app.kit.secret import token_hash
from tests.support.world import Actor, World

ME = "/api/v1/users/me"
REFERENCES = """
SELECT c.conrelid::regclass::text AS table_name, a.attname AS column_name
FROM pg_constraint c
JOIN unnest(c.conkey) AS k(attnum) ON true
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
WHERE c.contype = 'f' AND c.confrelid = 'users'::regclass
ORDER BY 1, 2
"""
KEPT = {("reports", "user_id"), ("reports", "decided_by")}
"""Columns that go on naming an erased account by its number; every other is emptied."""


async def lives_everywhere(world: World, who: Actor, canary: str) -> None:
    """Leave something in every table that names people."""
    db, user_id = world.db, who.id
    moderator = await world.someone(Role.MODERATOR)
    book = await world.book()
    for kind in ("like", "view"):
        body = {"book_id": book.id, "type": kind}
        await world.http.post("/api/v1/interactions", json=body, headers=who.bearer)
    report = await world.report(who)
    about = {"target_type": "user", "target_id": user_id, "reason": "Rude name"}
    await world.http.post("/api/v1/reports", json=about, headers=moderator.bearer)
    decision = await world.report(moderator)
    await db.execute(
        "UPDATE reports SET status = 'resolved', decided_by = $2, decided_at = now() WHERE id = $1",
        decision.id,
        user_id,
    )
    assert report.id != decision.id
    asked = await world.question(who)
    await db.execute(
        "UPDATE chat_history SET user_message = $2 WHERE id = $1", asked.message_id, canary
    )
    await world.http.put(ME, json={"name": canary}, headers={**who.bearer, "idempotency-key": "k"})
    await db.execute("UPDATE books SET created_by = $2 WHERE id = $1", book.id, user_id)
    soon, text = now() + timedelta(hours=1), uuid4().hex
    rows: dict[str, dict[str, Any]] = {
        "api_keys": {"id": text, "name": canary, "hint": "h", "scopes": ["catalog:read"]},
        "identities": {"id": text, "provider": "google", "subject": text, "email": canary},
        "totp_secrets": {"secret": b"sealed"},
        "recovery_codes": {"code_hash": text.encode()},
        "passkeys": {
            "id": text,
            "user_handle": b"h",
            "credential_id": text.encode(),
            "public_key": b"k",
            "sign_count": 0,
            "is_synced": False,
            "name": canary,
        },
        "passkey_challenges": {"purpose": "confirm", "challenge_hash": text.encode()},
        "second_steps": {"token_hash": text.encode(), "methods": ["pwd"]},
        "federation_states": {
            "state_hash": text.encode(),
            "browser_hash": b"b",
            "provider": "google",
            "nonce": "n",
            "verifier": "v",
            "redirect_uri": "https://library.example/back",
            "next_path": "/account",
            "session_id": who.principal.session_id,
        },
        "mail_tokens": {"token_hash": text.encode(), "purpose": "reset", "email": canary},
    }
    ending = {"passkey_challenges", "second_steps", "federation_states", "mail_tokens"}
    hashed = {"api_keys": {"token_hash": token_hash(text)}}
    for table, values in rows.items():
        more = {"expires_at": soon} if table in ending else {}
        given = {"user_id": user_id, **values, **more, **hashed.get(table, {})}
        marks = ", ".join(f"${number}" for number in range(1, len(given) + 1))
        sql = f"INSERT INTO {table} ({', '.join(given)}) VALUES ({marks})"
        await db.execute(sql, *given.values())
    helped = await world.someone()
    await db.execute(
        "UPDATE sessions SET impersonator_id = $2, opened_by = $3 WHERE user_id = $1",
        helped.id,
        user_id,
        who.principal.session_id,
    )


async def uses(world: World, user_id: int) -> dict[tuple[str, str], int]:
    """How many rows of each column that references people name this one."""
    found = {}
    for row in await world.db.fetch(REFERENCES):
        place = row["table_name"], row["column_name"]
        sql = f"SELECT count(*) FROM {place[0]} WHERE {place[1]} = $1"
        found[place] = await world.db.fetchval(sql, user_id)
    return found
