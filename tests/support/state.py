"""The whole database in one look, to show that a request changed nothing."""

from app.infra.db import Database

TABLES = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> ALL($1)
ORDER BY table_name
"""
REMEMBERED = ("idempotency_key", "migration", "rate_counters")
"""What is kept about requests is no effect of theirs."""


async def state_of(db: Database) -> dict[str, str]:
    """Each table's rows as one hash."""
    rows = await db.fetch(TABLES, list(REMEMBERED))
    parts = " UNION ALL ".join(
        f"SELECT '{row['table_name']}' AS name, "
        f"md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS hash "
        f'FROM public."{row["table_name"]}" t'
        for row in rows
    )
    return {row["name"]: row["hash"] for row in await db.fetch(parts)}
