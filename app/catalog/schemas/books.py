"""Books and their counts, in and out."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from app.kit.ids import EntityId
from app.kit.text import Line
from app.media.schemas import Cover

Prose = Annotated[str, Meta(max_length=10_000, pattern=r"^[^\x00]*$")]
Year = Annotated[int, Meta(ge=-4000, le=2200, examples=[1859])]
"""The year of first publication; negative before the common era."""

Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}$", examples=["en", "id"])]
"""ISO 639-1, or 639-3 where there is no two-letter code."""

Subject = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=80,
        pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
    ),
]
Subjects = Annotated[list[Subject], Meta(max_length=20)]


class CreateBook(Struct, frozen=True, forbid_unknown_fields=True):
    """A new book. A group brings its category; naming another category with it is refused."""

    title: Line
    author: Line | None = None
    category_id: EntityId | None = None
    group_id: EntityId | None = None
    description: Prose | None = None
    year: Year | None = None
    language: Language | None = None
    subjects: Subjects = []
    extra: dict[str, Any] = {}


class UpdateBook(Struct, frozen=True, forbid_unknown_fields=True):
    """Changes to a book; an absent field stays as it is."""

    title: Line | UnsetType = UNSET
    author: Line | UnsetType | None = UNSET
    category_id: EntityId | UnsetType | None = UNSET
    group_id: EntityId | UnsetType | None = UNSET
    description: Prose | UnsetType | None = UNSET
    year: Year | UnsetType | None = UNSET
    language: Language | UnsetType | None = UNSET
    subjects: Subjects | UnsetType = UNSET
    extra: dict[str, Any] | UnsetType = UNSET


class Book(Struct, frozen=True):
    """A book as everybody sees it; `liked` is null for those who are not signed in."""

    id: int
    title: str
    author: str | None
    category_id: int | None
    category: str | None
    group_id: int | None
    group: str | None
    description: str | None
    year: int | None
    language: str | None
    subjects: list[str]
    extra: dict[str, Any]
    has_text: bool
    chapters_count: int
    cover: Cover | None
    views: int
    downloads: int
    likes: int
    counters_version: int
    liked: bool | None
    version: int
    created_at: datetime
    updated_at: datetime


class BookQuery(Struct, frozen=True):
    """Which books a list shall hold, and in which order; every filter narrows it."""

    q: str | None = None
    sort: str | None = None
    category_id: int | None = None
    group_id: int | None = None
    author: str | None = None
    language: str | None = None
    year: int | None = None
    limit: int = 20
    cursor: str | None = None


class Counters(Struct, frozen=True):
    """Absolute counts of one book; a higher `version` is newer."""

    book_id: int
    views: int
    downloads: int
    likes: int
    version: int


class Totals(Struct, frozen=True):
    """The sums over all books."""

    books: int
    views: int
    downloads: int
    likes: int
