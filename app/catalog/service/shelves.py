"""Categories and groups: the places where books stand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
from asyncpg import Record

from app.catalog.policy import can_edit_catalog
from app.catalog.queries import shelves
from app.catalog.schemas import (
    Category,
    CategoryInUse,
    CategoryNotFound,
    CreateCategory,
    CreateGroup,
    Group,
    GroupInUse,
    GroupNotFound,
    NameTaken,
    ShelfQuery,
    UnknownPlace,
    UpdateCategory,
    UpdateGroup,
)
from app.catalog.service.rows import as_bigint, check_expected, given, tidy_values
from app.infra.db import Database, Queryable
from app.infra.listing import (
    CREATED_AT,
    Conditions,
    Listing,
    PageRequest,
    SortKey,
    escape_like,
    fetch_page,
)
from app.kit.errors import AppError
from app.kit.paging import Page
from app.kit.principal import Principal

SORTS = {"id": SortKey("id", int), "name": SortKey("lower(name)"), "created_at": CREATED_AT}
NOT_FOUND: dict[shelves.Shelf, type[AppError]] = {
    "categories": CategoryNotFound,
    "groups": GroupNotFound,
}
REFUSALS: dict[str, type[AppError]] = {
    "categories_name_key": NameTaken,
    "groups_category_name_key": NameTaken,
    "groups_category_fkey": UnknownPlace,
}
IN_USE: dict[str, type[AppError]] = {
    "groups_category_fkey": CategoryInUse,
    "books_category_fkey": CategoryInUse,
    "books_group_fkey": GroupInUse,
}


class Shelves:
    """The library's order. Reading is everybody's right, changing is for teachers and admins."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def category(self, category_id: int) -> Category:
        """One category. Raises CategoryNotFound."""
        return Category(**await self._row("categories", category_id))

    async def group(self, group_id: int) -> Group:
        """One group. Raises GroupNotFound."""
        return Group(**await self._row("groups", group_id))

    async def list_categories(self, query: ShelfQuery) -> Page[Category]:
        """One page of categories. Raises InvalidInput."""
        rows, cursor = await self._page("categories", query)
        return Page([Category(**row) for row in rows], cursor)

    async def list_groups(self, query: ShelfQuery) -> Page[Group]:
        """One page of groups. Raises InvalidInput."""
        rows, cursor = await self._page("groups", query)
        return Page([Group(**row) for row in rows], cursor)

    async def create_category(self, principal: Principal, new: CreateCategory) -> Category:
        """Add a category. Raises Forbidden, NameTaken."""
        can_edit_catalog(principal)
        with _refusals(REFUSALS):
            row = await shelves.insert_shelf(self._db, "categories", tidy_values(given(new)))
        return Category(**_present(row, CategoryNotFound))

    async def create_group(self, principal: Principal, new: CreateGroup) -> Group:
        """Add a group to a category. Raises Forbidden, NameTaken, UnknownPlace."""
        can_edit_catalog(principal)
        with _refusals(REFUSALS):
            row = await shelves.insert_shelf(self._db, "groups", tidy_values(given(new)))
        return Group(**_present(row, GroupNotFound))

    async def change_category(
        self, principal: Principal, category_id: int, change: UpdateCategory, expected: int | None
    ) -> Category:
        """Change a category. Raises Forbidden, CategoryNotFound, PreconditionFailed, NameTaken."""
        can_edit_catalog(principal)
        async with self._db.transaction() as tx:
            found = await _locked(tx, "categories", category_id, expected)
            with _refusals(REFUSALS):
                row = await shelves.update_shelf(
                    tx, "categories", found["id"], tidy_values(given(change))
                )
        return Category(**_present(row, CategoryNotFound))

    async def change_group(
        self, principal: Principal, group_id: int, change: UpdateGroup, expected: int | None
    ) -> Group:
        """Change a group; moved to another category it takes its books along.

        Raises Forbidden, GroupNotFound, PreconditionFailed, NameTaken, UnknownPlace.
        """
        can_edit_catalog(principal)
        values = tidy_values(given(change))
        async with self._db.transaction() as tx:
            found = await _locked(tx, "groups", group_id, expected)
            with _refusals(REFUSALS):
                row = await shelves.update_shelf(tx, "groups", found["id"], values)
            if values.get("category_id", found["category_id"]) != found["category_id"]:
                await shelves.mark_books_moved(tx, found["id"])
        return Group(**_present(row, GroupNotFound))

    async def delete_category(
        self, principal: Principal, category_id: int, expected: int | None
    ) -> None:
        """Remove an empty category. Raises as `change_category`, and CategoryInUse."""
        await self._delete("categories", principal, category_id, expected)

    async def delete_group(self, principal: Principal, group_id: int, expected: int | None) -> None:
        """Remove an empty group. Raises as `change_group`, and GroupInUse."""
        await self._delete("groups", principal, group_id, expected)

    async def _row(self, shelf: shelves.Shelf, shelf_id: int) -> Record:
        row = await shelves.shelf_by_id(self._db, shelf, as_bigint(shelf_id))
        return _present(row, NOT_FOUND[shelf])

    async def _page(
        self, shelf: shelves.Shelf, query: ShelfQuery
    ) -> tuple[list[dict[str, Any]], str | None]:
        where = Conditions()
        where.add(
            "immutable_unaccent(name) ILIKE '%' || immutable_unaccent({}) || '%'",
            escape_like(query.q),
        )
        where.add("lower(name) = lower({})", query.name)
        where.add("category_id = {}::bigint", query.category_id)
        listing = Listing(shelves.LISTS[shelf], SORTS, "name")
        page = PageRequest(query.sort, query.limit, query.cursor)
        rows, cursor = await fetch_page(self._db, listing, where, page)
        items = [dict(row) for row in rows]
        for item in items:
            del item["sort_value"]
        return items, cursor

    async def _delete(
        self, shelf: shelves.Shelf, principal: Principal, shelf_id: int, expected: int | None
    ) -> None:
        can_edit_catalog(principal)
        async with self._db.transaction() as tx:
            found = await _locked(tx, shelf, shelf_id, expected)
            with _refusals(IN_USE):
                await shelves.delete_shelf(tx, shelf, found["id"])


async def _locked(
    tx: Queryable, shelf: shelves.Shelf, shelf_id: int, expected: int | None
) -> Record:
    row = _present(await shelves.lock_shelf(tx, shelf, as_bigint(shelf_id)), NOT_FOUND[shelf])
    check_expected(expected, row["version"])
    return row


def _present(row: Record | None, error: type[AppError]) -> Record:
    if row is None:
        raise error
    return row


@contextmanager
def _refusals(known: dict[str, type[AppError]]) -> Iterator[None]:
    """A constraint's refusal, by the constraint's name, as the error that people understand."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as fault:
        error = known.get(fault.constraint_name or "")
        if error is None:
            raise
        raise error from fault
