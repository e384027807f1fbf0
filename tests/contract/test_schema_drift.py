"""Every `tables.py` says what the migrated database is."""

import asyncpg
from piccolo.table import Table

from app.piccolo_app import TABLES
from tests.support.house import Served

FAMILIES = {
    "serial": "integer",
    "bigserial": "bigint",
    "varchar": "text",
    "character varying": "text",
    "timestamp with time zone": "timestamptz",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "smallint": "integer",
    "bool": "boolean",
    "real": "real",
    "float4": "real",
    "double precision": "double precision",
}
NOT_OURS = {"migration"}
COLUMNS = """
SELECT table_name, column_name, is_nullable = 'YES' AS nullable, data_type, is_generated = 'ALWAYS'
    AS generated
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""
Described = dict[str, tuple[bool, str]]
GENERATED = "generated "


def family(kind: str) -> str:
    """One word for types that hold the same."""
    bare = kind.lower().partition("(")[0].strip()
    return "array" if bare.endswith("[]") else FAMILIES.get(bare, bare)


def of_piccolo(table: type[Table]) -> Described:
    """The columns as the table class has them."""
    return {
        column._meta.db_column_name: (column._meta.null, family(column.column_type))
        for column in table._meta.columns
    }


async def of_database(url: str) -> dict[str, Described]:
    """The columns as PostgreSQL has them; generated ones are marked."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(COLUMNS)
    finally:
        await connection.close()
    tables: dict[str, Described] = {}
    for row in rows:
        described = tables.setdefault(row["table_name"], {})
        mark = GENERATED if row["generated"] else ""
        described[mark + row["column_name"]] = (row["nullable"], family(row["data_type"]))
    return tables


def compared(described: Described, real: Described) -> Described:
    """What PostgreSQL has, without the generated columns that a table class need not name."""
    plain = {name.removeprefix(GENERATED): column for name, column in real.items()}
    return {name: c for name, c in plain.items() if name in described or name in real}


async def test_tables_are_the_database(served: Served) -> None:
    """Names, nullability and type family of every column of every table."""
    real = await of_database(served.settings.database_owner_url.reveal())
    described = {str(table._meta.tablename): of_piccolo(table) for table in TABLES}
    assert real.keys() - NOT_OURS == described.keys()
    differences = {
        name: sorted(columns.items() ^ compared(columns, real[name]).items())
        for name, columns in described.items()
    }
    assert {name: found for name, found in differences.items() if found} == {}
