"""Between rows and structs, and the small checks that several verbs share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import msgspec
from asyncpg import Record
from msgspec import Struct

from app.catalog.queries import books, shelves
from app.catalog.schemas import (
    MAX_EXTRA_BYTES,
    Book,
    BookNotFound,
    Counters,
    ExtraTooLarge,
    GroupInOtherCategory,
    UnknownPlace,
)
from app.infra.db import Queryable
from app.kit.errors import PreconditionFailed
from app.kit.principal import Principal
from app.kit.text import tidy
from app.media.schemas import Cover

TEXTS = ("name", "title", "author", "description")


def id_of(viewer: Principal | None) -> int | None:
    """Whose likes to show."""
    return viewer.user_id if viewer else None


def as_bigint(number: int) -> int:
    """A number from an address as the driver can carry it; 0 is nobody's id."""
    return number if abs(number) < 2**63 else 0


def book_of(row: Record) -> Book:
    """A row of `queries.books` as everybody sees it."""
    fields = dict(row)
    fields.pop("sort_value", None)
    cover_hash = fields.pop("cover_hash")
    return Book(cover=Cover.of(cover_hash) if cover_hash else None, **fields)


def counters_from(row: Record | None) -> Counters:
    """The counts in a row. Raises BookNotFound where there is none."""
    if row is None:
        raise BookNotFound
    return Counters(**row)


def given(change: Struct) -> dict[str, Any]:
    """The fields that were sent."""
    fields = msgspec.structs.asdict(change)
    return {name: value for name, value in fields.items() if value is not msgspec.UNSET}


def tidy_values(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields as the tables keep them. Raises ExtraTooLarge."""
    if len(msgspec.json.encode(fields.get("extra"))) > MAX_EXTRA_BYTES:
        raise ExtraTooLarge
    if "subjects" in fields:
        fields["subjects"] = list(dict.fromkeys(tidy(word) for word in fields["subjects"]))
    for name in TEXTS:
        if fields.get(name) is not None:
            fields[name] = tidy(fields[name])
    return fields


async def locked_book(tx: Queryable, book_id: int, expected: int | None) -> Record:
    """The row to change. Raises BookNotFound, PreconditionFailed."""
    row = await books.lock_book(tx, as_bigint(book_id))
    if row is None:
        raise BookNotFound
    check_expected(expected, row["version"])
    return row


def check_expected(expected: int | None, current: int) -> None:
    """Refuse a change made on an older version. Raises PreconditionFailed."""
    if expected is not None and expected != current:
        raise PreconditionFailed(current_version=current)


async def category_for(tx: Queryable, category_id: int | None, group_id: int | None) -> int | None:
    """The category a book stands in. Raises UnknownPlace, GroupInOtherCategory."""
    if group_id is None:
        return category_id
    group = await shelves.shelf_by_id(tx, "groups", group_id)
    if group is None:
        raise UnknownPlace("There is no such group")
    if category_id not in {None, group["category_id"]}:
        raise GroupInOtherCategory(category_id=group["category_id"])
    found: int = group["category_id"]
    return found


async def settle_place(tx: Queryable, values: dict[str, Any], present_group: int | None) -> None:
    """Give a changed book the category of its group. Raises as `category_for`."""
    group_id = values.get("group_id", present_group)
    if group_id is not None and not values.keys().isdisjoint({"group_id", "category_id"}):
        values["category_id"] = await category_for(tx, values.get("category_id"), group_id)


@contextmanager
def unknown_places() -> Iterator[None]:
    """A foreign key that points nowhere, as the mistake it is. Raises UnknownPlace."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError as fault:
        raise UnknownPlace from fault
