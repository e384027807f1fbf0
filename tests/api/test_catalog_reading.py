"""Reading over real HTTP: contents, chapters, the file, and the passages behind answers."""

import httpx
import pytest

from app.catalog.schemas import PassageNotFound
from tests.support.house import Person, Served
from tests.support.library import BOOKS, add_book, course, import_course
from tests.support.problems import code_of

CELL = """A *cell* is the smallest unit of life. <script>alert(1)</script>

## Parts

- The nucleus stores DNA.
- Mitochondria release energy.

[safe](https://example.org) [unsafe](javascript:alert(1)) ![spy](https://evil.example/x.png)

## Questions to try

1. What do mitochondria release?
"""
PLANTS = "Plants catch light with chlorophyll.\n\n```python\nprint('<b>')\n```\n"


@pytest.fixture(scope="module")
async def book_id(served: Served) -> int:
    """A book of two chapters."""
    book = course(("The cell", CELL), ("Plants", PLANTS), slug="biology-to-read", title="Biology")
    return await import_course(served, book)


class TestChapters:
    async def test_contents(self, nobody: httpx.AsyncClient, book_id: int) -> None:
        """Everybody may see what a book holds."""
        answer = await nobody.get(f"{BOOKS}/{book_id}/chapters")
        items = [{"number": 1, "title": "The cell"}, {"number": 2, "title": "Plants"}]
        assert answer.json() == {"items": items}
        book = (await nobody.get(f"{BOOKS}/{book_id}")).json()
        assert (book["chapters_count"], book["has_text"]) == (2, True)

    async def test_book_without_text_has_none(
        self, nobody: httpx.AsyncClient, teacher: Person
    ) -> None:
        """An empty list is the truth, not an error; a chapter or file is absent."""
        book = await add_book(teacher)
        url = f"{BOOKS}/{book['id']}"
        assert (await nobody.get(f"{url}/chapters")).json() == {"items": []}
        assert code_of(await nobody.get(f"{url}/chapters/1")) == (404, "chapter-not-found")
        assert code_of(await nobody.get(f"{url}/file")) == (404, "text-not-found")

    async def test_chapter_is_safe_html_in_passages(
        self, nobody: httpx.AsyncClient, book_id: int
    ) -> None:
        """No script, no foreign picture, no javascript link can come out of a book."""
        body = (await nobody.get(f"{BOOKS}/{book_id}/chapters/1")).json()
        assert (body["title"], body["prev"], body["next"]) == ("The cell", None, 2)
        kinds = [passage["kind"] for passage in body["passages"]]
        assert kinds == ["paragraph", "heading", "list", "paragraph", "heading", "list"]
        html = "".join(passage["html"] for passage in body["passages"])
        assert "<em>cell</em>" in html
        assert '<a href="https://example.org">safe</a>' in html
        assert "<script" not in html
        assert "<img" not in html
        assert 'href="javascript' not in html

    async def test_last_chapter(self, nobody: httpx.AsyncClient, book_id: int) -> None:
        """Neighbours end at the ends; code shows what was written."""
        body = (await nobody.get(f"{BOOKS}/{book_id}/chapters/2")).json()
        assert (body["prev"], body["next"]) == (1, None)
        assert "&lt;b&gt;" in body["passages"][1]["html"]

    @pytest.mark.parametrize("number", ["0", "3", "2147483648", "9" * 30])
    async def test_absent_chapter(
        self, nobody: httpx.AsyncClient, book_id: int, number: str
    ) -> None:
        """No number of whatever size reaches the database as a fault."""
        answer = await nobody.get(f"{BOOKS}/{book_id}/chapters/{number}")
        assert answer.status_code in {400, 404}
        assert code_of(await nobody.get(f"{BOOKS}/2147483647/chapters")) == (404, "book-not-found")


class TestFile:
    async def test_is_an_attachment(self, nobody: httpx.AsyncClient, book_id: int) -> None:
        """The whole text in one Markdown file with a name for people."""
        answer = await nobody.get(f"{BOOKS}/{book_id}/file")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
        assert answer.headers["content-disposition"].startswith('attachment; filename="Biology.md"')
        assert answer.text.startswith("# Biology\n\n*Tests*\n\n## The cell")
        assert "### Parts" in answer.text

    async def test_name_cannot_break_the_header(
        self, served: Served, nobody: httpx.AsyncClient
    ) -> None:
        """A title with quotes and foreign letters stays one file name."""
        book = course(("One", "Text."), title='Bahasa "Kita"; déjà/vu')
        answer = await nobody.get(f"{BOOKS}/{await import_course(served, book)}/file")
        disposition = answer.headers["content-disposition"]
        assert disposition.startswith(
            'attachment; filename="Bahasa _Kita_; d?j?_vu.md"'.replace("?", "_")
        )
        assert "filename*=UTF-8''Bahasa%20%22Kita%22%3B%20d%C3%A9j%C3%A0%2Fvu.md" in disposition


class TestPassages:
    async def test_best_passage_first_and_questions_are_no_answers(
        self, served: Served, book_id: int
    ) -> None:
        """The exercise asks with the very words of the question, and is not cited."""
        catalog = served.house.catalog
        found = await catalog.search_passages("What do mitochondria release?", book_id=book_id)
        assert "Mitochondria release energy" in found[0].text
        assert (found[0].book_title, found[0].chapter, found[0].chapter_title) == (
            "Biology",
            1,
            "The cell",
        )
        assert not [passage for passage in found if "What do" in passage.text]
        assert await catalog.passage(found[0].id) == found[0]

    async def test_typo_is_forgiven(self, served: Served, book_id: int) -> None:
        """People do not spell as biologists do."""
        found = await served.house.catalog.search_passages("clorophyl", book_id=book_id)
        assert "chlorophyll" in found[0].text

    @pytest.mark.parametrize(
        "question", ["", "???", "the of and", "a\x00b", "'", "\\ :* & |", "x" * 9000]
    )
    async def test_nothing_to_search_finds_nothing(
        self, served: Served, book_id: int, question: str
    ) -> None:
        """A question without words that say anything is answered without passages."""
        assert await served.house.catalog.search_passages(question, book_id=book_id) == []

    async def test_indonesian_is_searched_by_its_stems(self, served: Served) -> None:
        """`membaca` and `dibaca` share a stem."""
        book = course(("Dapur", "Ibu membaca buku setiap pagi."), language="id")
        book_id = await import_course(served, book)
        found = await served.house.catalog.search_passages("apa yang dibaca?", book_id=book_id)
        assert [passage.language for passage in found] == ["id"]

    async def test_citation_survives_a_reimport(self, served: Served) -> None:
        """A passage that moves to another chapter keeps its id; changed words get a new one."""
        catalog = served.house.catalog
        before = course(("One", "Water boils at 100 degrees.\n\nIce is cold."), slug="moving")
        book_id = await import_course(served, before)
        boils, ice = [
            (await catalog.search_passages(word, book_id=book_id))[0] for word in ("boils", "ice")
        ]
        after = course(
            ("Zero", "Ice is very cold."), ("One", "Water boils at 100 degrees."), slug="moving"
        )
        assert await import_course(served, after) == book_id
        assert (await catalog.passage(boils.id)).chapter == 2
        with pytest.raises(PassageNotFound):
            await catalog.passage(ice.id)
