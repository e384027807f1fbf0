"""Books for tests: over HTTP as a teacher would, or imported with a text as the loader does."""

from itertools import count
from typing import Any

from app.catalog.schemas import ImportedBook, ImportedChapter
from app.catalog.service import Imports
from tests.support.house import Person, Served

BOOKS = "/api/v1/books"
numbers = count(1)


async def add_book(by: Person, **fields: Any) -> dict[str, Any]:
    """A book that names only what matters."""
    body = {"title": f"Book {next(numbers)}", **fields}
    answer = await by.http.post(BOOKS, json=body)
    return answer.raise_for_status().json()


async def add_category(by: Person) -> dict[str, Any]:
    """A category of a name that nobody has used."""
    body = {"name": f"Category {next(numbers)}"}
    answer = await by.http.post("/api/v1/categories", json=body)
    return answer.raise_for_status().json()


async def add_group(by: Person, category: dict[str, Any]) -> dict[str, Any]:
    """A group of a name that nobody has used."""
    body = {"name": f"Group {next(numbers)}", "category_id": category["id"]}
    answer = await by.http.post("/api/v1/groups", json=body)
    return answer.raise_for_status().json()


def course(*chapters: tuple[str, str], **fields: Any) -> ImportedBook:
    """A book with a text; give it a slug to import it twice."""
    number = next(numbers)
    values: dict[str, Any] = {
        "slug": f"course-{number}",
        "title": f"Course {number}",
        "author": "Tests",
        "category": "Tests of courses",
        "group": "Courses",
        "description": None,
        "year": 2026,
        "language": "en",
        "subjects": [],
        **fields,
    }
    return ImportedBook(**values, chapters=[ImportedChapter(*chapter) for chapter in chapters])


async def import_course(served: Served, book: ImportedBook) -> int:
    """Bring it in; answers the book's id."""
    imports = Imports(served.house.db, served.house.media)
    return (await imports.import_book(book)).book_id
