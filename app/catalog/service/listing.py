"""Keyset lists: from a list's question to constants of SQL and a row of arguments."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from app.kit.errors import FieldError, InvalidInput
from app.kit.ids import EntityId
from app.kit.paging import decode_cursor, encode_cursor

Moment = Annotated[datetime, Meta(tz=True)]
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Sort(Struct, frozen=True):
    """An order: the SQL of its key, of the row that breaks ties, and the key's type."""

    key: str
    tie: str
    kind: Any
    is_descending: bool = False


def both_ways(name: str, key: str, tie: str, kind: Any) -> dict[str, Sort]:
    """`name` upwards and `-name` downwards."""
    return {name: Sort(key, tie, kind), f"-{name}": Sort(key, tie, kind, is_descending=True)}


class Question:
    """Gathers conditions and their arguments; text from outside only ever becomes an argument."""

    def __init__(self, *first: Any) -> None:
        self.args: list[Any] = list(first)
        self._conditions = ["TRUE"]
        self._sort = Sort("0", "0", int)
        self._name = ""

    def parameter(self, value: Any) -> str:
        """A new argument; answers its `$n`."""
        self.args.append(value)
        return f"${len(self.args)}"

    def where(self, condition: str, value: Any) -> None:
        """Narrow by a condition with `{}` for its argument; None narrows nothing."""
        if value is not None:
            self._conditions.append(condition.replace("{}", self.parameter(value)))

    def narrow(self, condition: str) -> None:
        """Narrow by a condition whose arguments are named already."""
        self._conditions.append(condition)

    def sort(self, name: str, sorts: Mapping[str, Sort]) -> None:
        """Choose the order. Raises InvalidInput naming the orders there are."""
        if name not in sorts:
            wrong = FieldError("sort", f"one of {', '.join(sorts)}")
            raise InvalidInput("There is no such order", errors=[wrong])
        self._sort, self._name = sorts[name], name

    def after(self, cursor: str | None) -> None:
        """Start behind the last row of the page before. Raises InvalidInput."""
        if cursor is None:
            return
        name, key, tie = decode_cursor(cursor, str, self._sort.kind, EntityId)
        if name != self._name:
            wrong = FieldError("cursor", "keep `sort` and `q` while paging")
            raise InvalidInput("The cursor belongs to another order", errors=[wrong])
        sign = "<" if self._sort.is_descending else ">"
        places = f"({self.parameter(key)}, {self.parameter(tie)})"
        self._conditions.append(f"({self._sort.key}, {self._sort.tie}) {sign} {places}")

    def take(self, limit: int) -> dict[str, str]:
        """The finished parts; one row more than asked for shows whether there is a next page."""
        way = "DESC" if self._sort.is_descending else "ASC"
        order = f"{self._sort.key} {way}, {self._sort.tie} {way} LIMIT {self.parameter(limit + 1)}"
        return {"where": " AND ".join(self._conditions), "key": self._sort.key, "order": order}

    def next_cursor(self, rows: Sequence[Mapping[str, Any]], limit: int) -> str | None:
        """The cursor behind the page's last row, None at the end."""
        if len(rows) <= limit:
            return None
        last = rows[limit - 1]
        return encode_cursor((self._name, last["sort_key"], last["id"]))
