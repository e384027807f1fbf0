"""Runs `migrations/` with piccolo's runner under an advisory lock, then grants the app its rights.

A migration is plain SQL in both directions: piccolo's generated ones know neither generated columns
nor partial indexes. Tests compare the result with every `tables.py`.
"""

import contextlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.apps.migrations.commands.backwards import BackwardsMigrationManager
from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager
from piccolo.apps.migrations.tables import Migration
from piccolo.conf.apps import AppConfig

from app.infra.db import Database, Queryable

APP_NAME = "sicerdas"
FOLDER = Path(__file__).parents[2] / "migrations"
LOCK_KEY = 0x51CE_DA5
"""Any constant of our own: PostgreSQL's advisory locks are numbers."""

APPEND_ONLY = ("audit_log",)
"""Tables whose rows the app role may add and read, never change."""


class MigrationFailed(Exception):
    """A migration did not run; the text says which and why."""


class SqlMigration(MigrationManager):
    """SQL for both directions, run in one transaction on the engine that keeps the ledger."""

    def __init__(self, migration_id: str, description: str, forwards: str, backwards: str) -> None:
        super().__init__(migration_id=migration_id, app_name=APP_NAME, description=description)
        self._sql = {False: forwards, True: backwards}

    async def run(self, backwards: bool = False) -> None:
        """Apply one direction; a failure leaves nothing of it behind."""
        engine: Any = Migration._meta.db  # noqa: SLF001  # else piccolo_conf's
        async with engine.transaction() as transaction:
            await transaction.connection.execute(self._sql[backwards])


def known_ids() -> list[str]:
    """The ids of all migrations in the folder, oldest first."""
    return sorted(path.name.split("_")[0] for path in FOLDER.glob("[0-9]*.py"))


async def pending_ids(db: Queryable) -> list[str]:
    """The ids that this database has not run. Works without any right to create tables."""
    if await db.fetchval("SELECT to_regclass('migration')") is None:
        return known_ids()
    rows = await db.fetch("SELECT name FROM migration WHERE app_name = $1", APP_NAME)
    done = {row["name"] for row in rows}
    return [name for name in known_ids() if name not in done]


async def migrate(owner_url: str, app_url: str, *, back_to: str | None = None) -> list[str]:
    """Bring the database to the newest migration, or back so that `back_to` is the next to run.

    Answers the ids that ran. Raises MigrationFailed. Two callers at once wait for each other.
    """
    db = Database(owner_url, pool_size=2)
    await db.start([Migration])
    try:
        async with _exclusive(db):
            before = await pending_ids(db)
            config = AppConfig(app_name=APP_NAME, migrations_folder_path=str(FOLDER))
            await _run(config, back_to)
            if back_to is None:
                await _grant(db, app_url)
            after = await pending_ids(db)
    finally:
        await db.stop()
    return sorted(set(before) ^ set(after))


@contextlib.asynccontextmanager
async def _exclusive(db: Database) -> AsyncIterator[None]:
    async with db.pool.acquire() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK_KEY, timeout=None)
        try:
            yield
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK_KEY)


async def _run(config: AppConfig, back_to: str | None) -> None:
    spoken = io.StringIO()
    with contextlib.redirect_stdout(spoken), contextlib.redirect_stderr(spoken):
        if back_to is None:
            forwards = ForwardsMigrationManager(app_name=APP_NAME)
            await forwards.create_migration_table()
            result = await forwards.run_migrations(config)
        else:
            backwards = BackwardsMigrationManager(APP_NAME, back_to, auto_agree=True)
            await backwards.create_migration_table()
            result = await backwards.run_migrations_backwards(config)
    if not result.success:
        raise MigrationFailed(f"{result.message}: {spoken.getvalue()}")


async def _grant(db: Database, app_url: str) -> None:
    """Give the app's role its rights; where owner and app are one, there is nothing to do."""
    probe = await asyncpg.connect(app_url)
    try:
        role = await probe.fetchval("SELECT quote_ident(current_user)")
    finally:
        await probe.close()
    if role == await db.fetchval("SELECT quote_ident(current_user)"):
        return
    rights = (
        "USAGE ON SCHEMA public",
        "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public",
        "USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public",
    )
    async with db.transaction() as tx:
        for right in rights:
            await tx.execute(f"GRANT {right} TO {role}")
        await tx.execute(f"REVOKE INSERT, UPDATE, DELETE ON migration FROM {role}")
        for table in APPEND_ONLY:
            if await tx.fetchval("SELECT to_regclass($1)", table) is not None:
                await tx.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}")
