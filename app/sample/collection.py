"""Reads the collection that comes with the product: taxonomy, list of books, course books."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from app.catalog.schemas import ImportedBook, ImportedChapter
from app.catalog.service.passages import split_title

FOLDER = Path(__file__).parent


class SampleCategory(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of taxonomy.json."""

    name: str
    description: str
    groups: list[str]


class Taxonomy(Struct, frozen=True, forbid_unknown_fields=True):
    """taxonomy.json."""

    categories: list[SampleCategory]


class SampleBook(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of books.json: a real book, of which the library has the metadata only."""

    slug: str
    title: str
    author: str | None
    year: int | None
    language: str
    category: str
    group: str
    subjects: list[str]
    description: str


class CourseBook(Struct, frozen=True, forbid_unknown_fields=True):
    """A course's book.toml; its chapters are the Markdown files beside it, ordered by name."""

    title: str
    author: str
    year: int
    language: str
    category: str
    group: str
    subjects: list[str]
    description: str
    licence: str


def taxonomy(folder: Path = FOLDER) -> list[SampleCategory]:
    """The categories with their groups."""
    data = (folder / "taxonomy.json").read_bytes()
    return msgspec.json.decode(data, type=Taxonomy).categories


def books(folder: Path = FOLDER) -> Iterator[ImportedBook]:
    """The listed books, then the courses: the newest stand first, and courses can be read at once.

    Raises msgspec.ValidationError.
    """
    listed = msgspec.json.decode((folder / "books.json").read_bytes(), type=list[SampleBook])
    for book in listed:
        yield ImportedBook(**msgspec.structs.asdict(book))
    for course in sorted(folder.glob("courses/*/book.toml"), reverse=True):
        yield _course(course)


def _course(file: Path) -> ImportedBook:
    head: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    course = msgspec.convert(head, CourseBook)
    sources = [path.read_text("utf-8") for path in sorted(file.parent.glob("*.md"))]
    fields = msgspec.structs.asdict(course)
    licence = fields.pop("licence")
    return ImportedBook(
        slug=file.parent.name,
        **fields,
        extra={"licence": licence},
        chapters=[ImportedChapter(*split_title(source)) for source in sources],
    )
