"""One linear history: up from nothing, down to nothing, up again, and the schema is the same."""

from collections.abc import Iterator

import asyncpg
import pytest

from app.infra.migrations import FOLDER, known_ids, migrate
from tests.support.servers import Database, Postgres, make_database

NAME = "migrations_there_and_back"
SHAPE = """
SELECT 'column', table_name, column_name, data_type, is_nullable, column_default,
    generation_expression
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT 'index', tablename, indexname, indexdef, '', '', '' FROM pg_indexes
WHERE schemaname = 'public'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', ''
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), '', '', ''
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'function', proname, '', pg_get_functiondef(p.oid), '', '', ''
FROM pg_proc p LEFT JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
WHERE pronamespace = 'public'::regnamespace AND d.objid IS NULL AND prokind = 'f'
ORDER BY 1, 2, 3
"""
LEDGER = "migration"


@pytest.fixture
def empty_database(postgres_server: Postgres) -> Iterator[Database]:
    """A database on which nothing ever ran."""
    make_database(postgres_server, NAME, "template1")
    yield Database(NAME, postgres_server.app_url(NAME), postgres_server.owner_url(NAME))
    postgres_server.execute(f"drop database if exists {NAME} with (force)")


async def shape(url: str) -> list[tuple[str, ...]]:
    """Everything that makes the schema, but for the runner's own ledger."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(SHAPE)
    finally:
        await connection.close()
    return [tuple(row) for row in rows if not str(row[1]).startswith(LEDGER)]


async def test_there_and_back_again(empty_database: Database) -> None:
    """Nothing is left behind on the way down, and nothing is missing the second time."""
    app, owner = empty_database.app_url, empty_database.owner_url
    nothing = await shape(owner)
    assert await migrate(owner, app) == known_ids()
    first = await shape(owner)
    assert first != nothing
    assert await migrate(owner, app, back_to=known_ids()[0]) == known_ids()
    assert await shape(owner) == nothing
    assert await migrate(owner, app) == known_ids()
    assert await shape(owner) == first


async def test_second_run_does_nothing(empty_database: Database) -> None:
    """Migrating a current database changes nothing."""
    app, owner = empty_database.app_url, empty_database.owner_url
    await migrate(owner, app)
    before = await shape(owner)
    assert await migrate(owner, app) == []
    assert await shape(owner) == before


def test_history_is_linear() -> None:
    """Numbers without gaps, each used once."""
    numbers = [int(path.name.split("_")[0]) for path in sorted(FOLDER.glob("[0-9]*.py"))]
    assert numbers == list(range(1, len(numbers) + 1))
