"""Named SQL of categories and groups."""

from collections.abc import Mapping
from typing import Any, Literal

from asyncpg import Record

from app.infra.db import Queryable

Shelf = Literal["categories", "groups"]
COLUMNS: dict[Shelf, str] = {
    "categories": "id, name, description, version, created_at, updated_at",
    "groups": "id, name, category_id, version, created_at, updated_at",
}
LISTS = {
    shelf: f"SELECT {columns}, {{sort}} AS sort_value FROM {shelf}"
    for shelf, columns in COLUMNS.items()
}
"""For `infra.listing`."""


async def shelf_by_id(db: Queryable, shelf: Shelf, shelf_id: int) -> Record | None:
    """One category or group by its primary key."""
    return await db.fetchrow(
        f"SELECT {COLUMNS[shelf]} FROM {shelf} WHERE id = $1::bigint", shelf_id
    )


async def lock_shelf(db: Queryable, shelf: Shelf, shelf_id: int) -> Record | None:
    """The row that a change starts from, locked until the transaction ends."""
    return await db.fetchrow(
        f"SELECT {COLUMNS[shelf]} FROM {shelf} WHERE id = $1::bigint FOR UPDATE", shelf_id
    )


async def insert_shelf(db: Queryable, shelf: Shelf, values: Mapping[str, Any]) -> Record | None:
    """A new category or group."""
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    return await db.fetchrow(
        f"""
        INSERT INTO {shelf} ({", ".join(values)}) VALUES ({places}) RETURNING {COLUMNS[shelf]}
        """,
        *values.values(),
    )


async def update_shelf(
    db: Queryable, shelf: Shelf, shelf_id: int, values: Mapping[str, Any]
) -> Record | None:
    """Change a locked row; the column names come from the service's own structs."""
    settings = "".join(f"{name} = ${n}, " for n, name in enumerate(values, 2))
    return await db.fetchrow(
        f"""
        UPDATE {shelf} SET {settings} version = version + 1, updated_at = now()
        WHERE id = $1 RETURNING {COLUMNS[shelf]}
        """,
        shelf_id,
        *values.values(),
    )


async def mark_books_moved(db: Queryable, group_id: int) -> None:
    """The books of a group that moved are another version now. books_group."""
    await db.execute(
        "UPDATE books SET version = version + 1, updated_at = now() WHERE group_id = $1", group_id
    )


async def delete_shelf(db: Queryable, shelf: Shelf, shelf_id: int) -> None:
    """Remove an empty category or group; the foreign keys refuse one in use."""
    await db.execute(f"DELETE FROM {shelf} WHERE id = $1", shelf_id)


async def ensure_category(db: Queryable, name: str, description: str | None) -> int:
    """The id of the category of this name, made when absent; a set description wins."""
    category_id: int = await db.fetchval(
        """
        INSERT INTO categories AS c (name, description) VALUES ($1, $2)
        ON CONFLICT (lower(name)) DO UPDATE
            SET description = coalesce(c.description, excluded.description)
        RETURNING id
        """,
        name,
        description,
    )
    return category_id


async def ensure_group(db: Queryable, category_id: int, name: str) -> int:
    """The id of the group of this name in a category, made when absent."""
    group_id: int = await db.fetchval(
        """
        INSERT INTO groups (name, category_id) VALUES ($1, $2)
        ON CONFLICT (category_id, lower(name)) DO UPDATE SET name = groups.name
        RETURNING id
        """,
        name,
        category_id,
    )
    return group_id
