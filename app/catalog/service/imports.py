"""Brings a collection of books in, again and again, without changing what is unchanged."""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from app.catalog.queries import books, shelves, texts
from app.catalog.schemas import ImportedBook
from app.catalog.service.passages import passages_of, whole_text
from app.catalog.service.rows import locked_book
from app.infra.db import Database
from app.media.service import Media

FORM = b"1"
"""Change it when the same source shall be split or stored in another way: all is imported anew."""


class Imported(Struct, frozen=True):
    """What became of a book of the collection."""

    book_id: int
    is_changed: bool
    has_cover: bool


class Imports:
    """For collections that come with the product; edits made here last until the source changes."""

    def __init__(self, db: Database, media: Media) -> None:
        self._db = db
        self._media = media

    async def known(self, slugs: Sequence[str]) -> dict[str, tuple[str, Imported]]:
        """What the library has of these: fingerprint and state by slug."""
        rows = await books.imported_books(self._db, slugs)
        return {
            row["slug"]: (
                row["source_hash"],
                Imported(row["id"], is_changed=False, has_cover=row["cover_hash"] is not None),
            )
            for row in rows
        }

    async def ensure_places(
        self, category: str, description: str | None, groups: Sequence[str]
    ) -> None:
        """Make a category and its groups where they are absent."""
        async with self._db.transaction() as tx:
            category_id = await shelves.ensure_category(tx, category, description)
            for group in groups:
                await shelves.ensure_group(tx, category_id, group)

    async def import_book(self, book: ImportedBook) -> Imported:
        """Add or renew one book with its chapters and passages."""
        file_key = await self._media.store_text(whole_text(book)) if book.chapters else None
        values = {
            "slug": book.slug,
            "title": book.title,
            "author": book.author,
            "description": book.description,
            "year": book.year,
            "language": book.language,
            "subjects": book.subjects,
            "extra": book.extra,
            "chapters_count": len(book.chapters),
            "file_key": file_key,
            "source_hash": fingerprint(book),
        }
        chapters = [(n, c.title, c.source) for n, c in enumerate(book.chapters, 1)]
        async with self._db.transaction() as tx:
            category_id = await shelves.ensure_category(tx, book.category, None)
            group_id = await shelves.ensure_group(tx, category_id, book.group)
            row = await books.import_book(
                tx, {**values, "category_id": category_id, "group_id": group_id}
            )
            assert row is not None, "an upsert answers its row"
            if chapters:
                await texts.replace_text(tx, row["id"], chapters, passages_of(book))
        return Imported(row["id"], is_changed=True, has_cover=row["cover_hash"] is not None)

    async def set_cover(self, book_id: int, pictures: Sequence[bytes]) -> None:
        """Store drawn pictures as a book's cover. Raises BookNotFound, Unavailable."""
        cover_hash = await self._media.store_cover(pictures)
        async with self._db.transaction() as tx:
            row = await locked_book(tx, book_id, None)
            await books.update_book(tx, row["id"], {"cover_hash": cover_hash})


def fingerprint(book: ImportedBook) -> str:
    """Tells two states of a collection's book apart."""
    return hashlib.sha256(FORM + msgspec.json.encode(book)).hexdigest()
