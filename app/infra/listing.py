"""Keyset lists from a declaration: filters, sort, cursor. Only constants of ours become SQL text.

`OFFSET` would read and throw away every earlier page; a keyset starts at its row, so that page 1
and page 10 000 cost the same with an index on `(sort expression, id)`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import asyncpg
from asyncpg import Record
from msgspec import Struct

from app.infra.db import Queryable
from app.kit.errors import FieldError, InvalidInput
from app.kit.ids import INT4_MAX
from app.kit.paging import DEFAULT_PAGE, decode_cursor, encode_cursor


class SortKey(Struct, frozen=True):
    """One way to sort: an SQL expression that is never NULL, and the Python type of its values."""

    expression: str
    kind: type = str


CREATED_AT = SortKey("created_at", datetime)


class Listing(Struct, frozen=True):
    """A list that callers may filter and sort.

    `select` is `SELECT ..., {sort} AS sort_value FROM ...`; `id_column` breaks ties.
    """

    select: str
    sorts: Mapping[str, SortKey]
    default_sort: str
    id_column: str = "id"

    def key(self, sort: str) -> SortKey:
        """The key behind `field` or `-field`. Raises InvalidInput naming the fields there are."""
        key = self.sorts.get(sort.removeprefix("-"))
        if key is None:
            fields = ", ".join(sorted(self.sorts))
            wrong = FieldError("sort", f"one of {fields}; a leading - turns the order")
            raise InvalidInput("The list cannot be sorted by that", errors=[wrong])
        return key


class Conditions:
    """Collects `AND` terms and their parameters in step."""

    def __init__(self) -> None:
        self.terms: list[str] = ["true"]
        self.args: list[Any] = []

    def add(self, template: str, value: Any) -> None:
        """A term whose `{}` is the parameter; a value of None adds nothing."""
        if value is not None:
            self.terms.append(template.format(self.param(value)))

    def param(self, value: Any) -> str:
        """The placeholder of a new parameter."""
        self.args.append(value)
        return f"${len(self.args)}"


def escape_like(text: str | None) -> str | None:
    """Typed text as a literal part of a LIKE pattern."""
    if text is None:
        return None
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


class PageRequest(Struct, frozen=True):
    """The part of a list request that is the same for every list."""

    sort: str | None = None
    limit: int = DEFAULT_PAGE
    cursor: str | None = None


async def fetch_page(
    db: Queryable, listing: Listing, where: Conditions, page: PageRequest
) -> tuple[list[Record], str | None]:
    """The rows of one page and the cursor to the next. Raises InvalidInput."""
    sort = page.sort or listing.default_sort
    key = listing.key(sort)
    below, way = ("<", "DESC") if sort.startswith("-") else (">", "ASC")
    if page.cursor is not None:
        named, value, last_id = decode_cursor(page.cursor, str, key.kind, int)
        if named != sort or not 0 <= last_id <= INT4_MAX:
            raise InvalidInput("The cursor belongs to a list with another sort")
        where.terms.append(
            f"({key.expression}, {listing.id_column}) {below} "
            f"({where.param(value)}, {where.param(last_id)})"
        )
    with cursor_values(page.cursor):
        rows = await db.fetch(
            f"{listing.select.replace('{sort}', key.expression)} WHERE {' AND '.join(where.terms)}"
            f" ORDER BY {key.expression} {way}, {listing.id_column} {way}"
            f" LIMIT {where.param(page.limit + 1)}",
            *where.args,
        )
    if len(rows) <= page.limit:
        return rows, None
    last = rows[page.limit - 1]
    return rows[: page.limit], encode_cursor((sort, last["sort_value"], last["id"]))


@contextmanager
def cursor_values(cursor: str | None) -> Iterator[None]:
    """Around a statement whose last values came in a cursor: one that a column cannot hold (a year
    beyond its integer, a time beyond the calendar) was forged. Raises InvalidInput."""
    try:
        yield
    except asyncpg.DataError as fault:
        if cursor is None:
            raise
        raise InvalidInput("The cursor is not one of ours") from fault
