"""Chapters and passages, out; whole books, in."""

from typing import Any, Literal

from msgspec import Struct

Kind = Literal["paragraph", "heading", "list", "code", "quote", "table"]


class ChapterTitle(Struct, frozen=True):
    """One line of a table of contents."""

    number: int
    title: str


class TableOfContents(Struct, frozen=True):
    """All chapters of a book; empty where only the description is in the library."""

    items: list[ChapterTitle]


class PassageView(Struct, frozen=True):
    """A block of a chapter, ready to show; its id is the anchor that citations name."""

    id: str
    kind: Kind
    html: str


class Chapter(Struct, frozen=True):
    """A chapter to read; `prev` and `next` are the numbers of its neighbours."""

    book_id: int
    number: int
    title: str
    passages: list[PassageView]
    prev: int | None
    next: int | None


class Passage(Struct, frozen=True):
    """A passage that an answer may cite, with all that a citation says about it."""

    id: str
    book_id: int
    book_title: str
    chapter: int
    chapter_title: str
    text: str
    language: str | None


class BookFile(Struct, frozen=True):
    """A whole book to take away."""

    name: str
    data: bytes


class ImportedChapter(Struct, frozen=True):
    """A chapter on its way in, in Markdown."""

    title: str
    source: str


class ImportedBook(Struct, frozen=True):
    """A book on its way in from a collection; `slug` names it there for ever."""

    slug: str
    title: str
    author: str | None
    category: str
    group: str
    description: str | None
    year: int | None
    language: str | None
    subjects: list[str]
    extra: dict[str, Any] = {}
    chapters: list[ImportedChapter] = []
