"""The sample collection is complete, and loading it again changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.infra.db import Database as AppDatabase
from app.kit.secret import Secret
from app.sample import collection
from app.sample.loader import load
from app.settings import Settings
from tests.support.house import with_settings
from tests.support.servers import Database


def test_collection_is_what_the_readme_promises() -> None:
    """150 books with true places, and twelve course books in two languages."""
    places = {(c.name, group) for c in collection.taxonomy() for group in c.groups}
    books = list(collection.books())
    courses = [book for book in books if book.chapters]
    assert len(books) - len(courses) >= 150
    assert len({book.slug for book in books}) == len(books)
    assert {(book.category, book.group) for book in books} <= places
    assert sorted(book.language or "" for book in courses) == ["en"] * 8 + ["id"] * 4
    assert all(len(book.chapters) >= 5 for book in courses)
    assert all(book.description and book.author for book in books)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A collection of one course and two books."""
    place = {"category": "Science", "group": "Biology"}
    groups = [{"name": "Science", "description": "All of it.", "groups": ["Biology", "Physics"]}]
    (tmp_path / "taxonomy.json").write_text(json.dumps({"categories": groups}))
    books = [
        {
            "slug": f"book-{n}",
            "title": f"Book {n}",
            "author": "A",
            "year": 1900,
            "language": "en",
            "subjects": [],
            "description": "D",
            **place,
        }
        for n in range(2)
    ]
    (tmp_path / "books.json").write_text(json.dumps(books))
    course = tmp_path / "courses" / "en-short"
    course.mkdir(parents=True)
    head = {"title": "Short", "author": "S", "language": "en", "description": "D", "licence": "CC"}
    lines = [f'{key} = "{value}"' for key, value in {**head, **place}.items()]
    (course / "book.toml").write_text("\n".join([*lines, "year = 2026", 'subjects = ["life"]']))
    (course / "01-one.md").write_text("# One\n\nBirds fly.\n")
    (course / "02-two.md").write_text("# Two\n\nFish swim.\n")
    return tmp_path


async def test_second_run_changes_nothing_and_an_edit_one_book(
    settings: Settings, new_database: Callable[[], Database], folder: Path
) -> None:
    """Every start may load; what a teacher changed stays until the source itself changes."""
    url = Secret(new_database().app_url)
    fresh = with_settings(settings, database_url=url)
    first = await load(fresh, folder)
    assert (first.books, first.changed, first.covers, first.accounts) == (3, 3, 3, 6)
    db = AppDatabase(url.reveal())
    await db.start()
    try:
        await db.execute("UPDATE books SET title = 'Edited' WHERE slug = 'book-0'")
        second = await load(fresh, folder)
        assert (second.changed, second.covers) == (0, 0)
        assert await db.fetchval("SELECT title FROM books WHERE slug = 'book-0'") == "Edited"
        (folder / "courses" / "en-short" / "02-two.md").write_text("# Two\n\nWhales swim.\n")
        third = await load(fresh, folder)
        assert (third.changed, third.covers) == (1, 0)
        assert await db.fetchval("SELECT count(*) FROM passages WHERE text LIKE '%swim%'") == 1
        assert await db.fetchval("SELECT count(*) FROM groups") == 2
        assert await db.fetchval("SELECT count(*) FROM books WHERE cover_hash IS NULL") == 0
    finally:
        await db.stop()
