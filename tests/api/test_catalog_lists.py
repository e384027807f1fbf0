"""Lists of books: filters, orders, paging and a search that forgives typos."""

import base64
import json

import httpx
import pytest

from tests.support.house import Person, Served
from tests.support.library import BOOKS, add_book, add_category, add_group
from tests.support.problems import code_of

Titles = list[str]


async def titles(client: httpx.AsyncClient, **query: object) -> Titles:
    """The titles of all pages."""
    found: Titles = []
    params = dict(query)
    while True:
        answer = await client.get(BOOKS, params=params)
        body = answer.raise_for_status().json()
        found += [item["title"] for item in body["items"]]
        if body["next"] is None:
            return found
        params["cursor"] = body["next"]


@pytest.fixture(scope="module")
async def shelf(teacher: Person) -> int:
    """A category with five books, two of them without a year."""
    category = await add_category(teacher)
    books = [
        ("Émile", "Rousseau", 1762, "fr"),
        ("émigrés", None, None, "fr"),
        ("Zadig", "Voltaire", 1747, "fr"),
        ("Bumi Manusia", "Pramoedya", 1980, "id"),
        ("Anak Semua Bangsa", "Pramoedya", None, "id"),
    ]
    for title, author, year, language in books:
        fields = {"title": title, "author": author, "year": year, "language": language}
        await add_book(teacher, category_id=category["id"], **fields)
    return int(category["id"])


class TestOrder:
    @pytest.mark.parametrize("limit", [1, 2, 100])
    async def test_titles_ignore_case_and_accents(
        self, nobody: httpx.AsyncClient, shelf: int, limit: int
    ) -> None:
        """Pages of any size hold the same books in the same order, each once."""
        expected = ["Anak Semua Bangsa", "Bumi Manusia", "émigrés", "Émile", "Zadig"]
        found = await titles(nobody, category_id=shelf, limit=limit)
        assert expected == found
        back = await titles(nobody, category_id=shelf, limit=limit, sort="-title")
        assert expected[::-1] == back

    async def test_books_without_a_year_come_last_both_ways(
        self, nobody: httpx.AsyncClient, shelf: int
    ) -> None:
        """Unknown is neither early nor late."""
        up = await titles(nobody, category_id=shelf, limit=2, sort="year")
        down = await titles(nobody, category_id=shelf, limit=2, sort="-year")
        assert up[:3] == ["Zadig", "Émile", "Bumi Manusia"]
        assert down[:3] == ["Bumi Manusia", "Émile", "Zadig"]

    @pytest.mark.parametrize(
        "sort", ["id", "author", "-author", "created_at", "-updated_at", "views", "-likes"]
    )
    async def test_every_order_pages_without_loss(
        self, nobody: httpx.AsyncClient, shelf: int, sort: str
    ) -> None:
        """Equal keys are told apart by the id."""
        found = await titles(nobody, category_id=shelf, limit=2, sort=sort)
        assert len(found) == len(set(found)) == 5

    async def test_most_liked_first(
        self, teacher: Person, learner: Person, nobody: httpx.AsyncClient
    ) -> None:
        """Counters sort like any other field."""
        category = await add_category(teacher)
        await add_book(teacher, category_id=category["id"])
        liked = await add_book(teacher, category_id=category["id"])
        body = {"book_id": liked["id"], "type": "like"}
        (await learner.http.post("/api/v1/interactions", json=body)).raise_for_status()
        found = await titles(nobody, category_id=category["id"], sort="-likes")
        assert found[0] == liked["title"]


class TestFilters:
    async def test_author_language_year(self, nobody: httpx.AsyncClient, shelf: int) -> None:
        """Each filter narrows; an author's case does not matter."""
        assert len(await titles(nobody, category_id=shelf, author="PRAMOEDYA")) == 2
        assert len(await titles(nobody, category_id=shelf, language="fr")) == 3
        assert await titles(nobody, category_id=shelf, year=1747) == ["Zadig"]
        assert await titles(nobody, category_id=shelf, language="fr", author="Pramoedya") == []

    async def test_group(self, teacher: Person, nobody: httpx.AsyncClient) -> None:
        """A group holds its own books."""
        group = await add_group(teacher, await add_category(teacher))
        book = await add_book(teacher, group_id=group["id"])
        assert await titles(nobody, group_id=group["id"]) == [book["title"]]


class TestSearch:
    @pytest.mark.parametrize(
        "q",
        [
            "wuthering",
            "Wuthring Hights",  # codespell:ignore
            "bronte",
            "moors",
            "WUTHERING heights",
            "wutherin",
        ],
    )
    async def test_finds_by_title_author_description_and_in_spite_of_typos(
        self, teacher: Person, nobody: httpx.AsyncClient, q: str
    ) -> None:
        """People do not spell as catalogues do."""
        category = await add_category(teacher)
        fields = {"author": "Emily Brontë", "description": "Love and hate on the moors."}
        place = {"category_id": category["id"], "language": "en"}
        await add_book(teacher, title="Wuthering Heights", **fields, **place)
        await add_book(teacher, title="Something Else", **place)
        assert await titles(nobody, category_id=category["id"], q=q) == ["Wuthering Heights"]

    async def test_title_outranks_description_and_pages_hold_together(
        self, teacher: Person, nobody: httpx.AsyncClient
    ) -> None:
        """The best answer comes first, also when every page has one book."""
        category = await add_category(teacher)
        place = {"category_id": category["id"], "language": "en"}
        await add_book(teacher, title="Birds", description="Nothing on volcanoes.", **place)
        await add_book(teacher, title="Volcanoes", **place)
        await add_book(teacher, title="Fire Mountains", subjects=["volcanoes"], **place)
        found = await titles(nobody, category_id=category["id"], q="volcanoes", limit=1)
        assert found[0] == "Volcanoes"
        assert sorted(found) == ["Birds", "Fire Mountains", "Volcanoes"]

    @pytest.mark.parametrize("limit", [1, 100])
    async def test_of_too_many_the_most_liked_are_ranked(
        self,
        served: Served,
        teacher: Person,
        nobody: httpx.AsyncClient,
        monkeypatch: pytest.MonkeyPatch,
        limit: int,
    ) -> None:
        """A word that nearly every book holds costs no more than one that some hold; another order
        lists them all."""
        monkeypatch.setattr("app.catalog.queries.books.RANKED", 2)
        place = {"category_id": (await add_category(teacher))["id"], "language": "en"}
        for title, likes in (("Geysers", 1), ("Old Geysers", 9), ("Geysers of Iceland", 5)):
            book = await add_book(teacher, title=title, **place)
            await served.house.db.execute(
                "UPDATE book_counters SET likes = $2 WHERE book_id = $1", book["id"], likes
            )
        question = {"category_id": place["category_id"], "limit": limit}
        found = await titles(nobody, q="geysers", **question)
        assert sorted(found) == ["Geysers of Iceland", "Old Geysers"]
        assert len(await titles(nobody, q="geysrs", **question)) == 2
        assert len(await titles(nobody, q="geysers", sort="title", **question)) == 3

    async def test_spelled_alike_stand_beside_few_exact_ones(
        self, teacher: Person, nobody: httpx.AsyncClient
    ) -> None:
        """Where few hold the very word, who wrote it otherwise is found too, after them."""
        category = (await add_category(teacher))["id"]
        for title in ("Glaciers", "Glacier Bay"):
            await add_book(teacher, category_id=category, title=title, language="fr")
        found = await titles(nobody, category_id=category, q="glacier")
        assert found == ["Glacier Bay", "Glaciers"]

    @pytest.mark.parametrize("q", ["'", "\\", "%", "a & | !", '"', "(((", "the", ":*", "🦉", "-"])
    async def test_strange_words_are_harmless(self, nobody: httpx.AsyncClient, q: str) -> None:
        """A search is text, never syntax."""
        assert (await nobody.get(BOOKS, params={"q": q})).status_code == 200


class TestBadQuestions:
    @pytest.mark.parametrize(
        "query",
        [
            {"sort": "password"},
            {"sort": "relevance"},
            {"limit": 0},
            {"limit": 101},
            {"limit": "many"},
            {"cursor": "nonsense"},
            {"category_id": "x"},
            {"category_id": 2**40},
            {"year": 10**30},
            {"q": "x" * 201},
            {"q": "a\x00b"},
            {"author": "a\x00b"},
        ],
        ids=str,
    )
    async def test_is_400(self, nobody: httpx.AsyncClient, query: dict[str, object]) -> None:
        """A problem that names the fault."""
        assert (await nobody.get(BOOKS, params=query)).status_code == 400

    @pytest.mark.parametrize(
        "forged",
        [
            ["title", 5, 1],
            ["title", "\x00", 1],
            ["title", "a", 2**40],
            ["id", 2**70, 1],
            ["id", 2**40, 1],
            ["year", 2**40, 1],
            ["created_at", "yesterday", 1],
            ["created_at", "0001-01-01T00:00:00+23:00", 1],
            ["created_at", "9999-12-31T23:59:59-23:00", 1],
            ["views", "1", 1],
            ["likes", 1],
        ],
        ids=str,
    )
    async def test_forged_cursor_is_400(
        self, nobody: httpx.AsyncClient, forged: list[object]
    ) -> None:
        """A cursor is checked like any other input."""
        cursor = base64.urlsafe_b64encode(json.dumps(forged).encode()).rstrip(b"=").decode()
        answer = await nobody.get(BOOKS, params={"sort": forged[0], "cursor": cursor})
        assert answer.status_code == 400, answer.text

    async def test_cursor_of_another_order_is_refused(
        self, nobody: httpx.AsyncClient, shelf: int
    ) -> None:
        """Changing the order in the middle would repeat and lose books."""
        params = {"category_id": shelf, "limit": 1}
        cursor = (await nobody.get(BOOKS, params=params)).json()["next"]
        answer = await nobody.get(BOOKS, params={**params, "sort": "-title", "cursor": cursor})
        assert code_of(answer) == (400, "invalid-input")
