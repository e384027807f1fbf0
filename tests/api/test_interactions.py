"""Counting over real HTTP: exact likes, one view per window, and the figures for teachers."""

import asyncio
import random
from typing import Any

import httpx
import pytest

from app.catalog.schemas import BookNotFound
from app.interactions.schemas import RecordInteraction
from app.interactions.service import Interactions
from app.interactions.topics import families
from app.kit.principal import Principal, Role
from app.kit.secret import Secret
from realtime import ANONYMOUS
from tests.support.house import Person, Served
from tests.support.library import BOOKS, add_book
from tests.support.problems import code_of

URL, STATS = "/api/v1/interactions", "/api/v1/interactions/stats"
ROWS = """
SELECT count(*) FILTER (WHERE type = 'view') AS views,
    count(*) FILTER (WHERE type = 'download') AS downloads,
    count(*) FILTER (WHERE type = 'like') AS likes
FROM interactions WHERE book_id = $1
"""


@pytest.fixture
async def book(teacher: Person) -> dict[str, Any]:
    """A book that nobody has looked at."""
    return await add_book(teacher)


async def record(by: Person, book: dict[str, Any], kind: str) -> dict[str, Any]:
    answer = await by.http.post(URL, json={"book_id": book["id"], "type": kind})
    return answer.raise_for_status().json()


class TestRecord:
    async def test_anonymous(self, nobody: httpx.AsyncClient, book: dict[str, Any]) -> None:
        """Counting needs a person."""
        body = {"book_id": book["id"], "type": "like"}
        assert code_of(await nobody.post(URL, json=body)) == (401, "unauthorized")

    async def test_unknown_book(self, learner: Person) -> None:
        """Nothing is counted for a book that does not exist."""
        body = {"book_id": 2147483647, "type": "view"}
        assert code_of(await learner.http.post(URL, json=body)) == (404, "book-not-found")

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"book_id": 1},
            {"book_id": 1, "type": "love"},
            {"book_id": "1", "type": "like"},
            {"book_id": 0, "type": "like"},
            {"book_id": 2**40, "type": "like"},
            {"book_id": 1, "type": "like", "user_id": 2},
        ],
        ids=str,
    )
    async def test_bad_input(self, learner: Person, body: dict[str, Any]) -> None:
        """Nobody likes in another's name, and no number is too large for a clear answer."""
        assert code_of(await learner.http.post(URL, json=body)) == (400, "invalid-input")

    async def test_like_twice_is_one_like(self, learner: Person, book: dict[str, Any]) -> None:
        """Repeating changes nothing, not even the version."""
        first = await record(learner, book, "like")
        assert first == {
            "book_id": book["id"],
            "views": 0,
            "downloads": 0,
            "likes": 1,
            "version": 1,
        }
        assert await record(learner, book, "like") == first
        seen = (await learner.http.get(f"{BOOKS}/{book['id']}")).json()
        assert (seen["liked"], seen["likes"], seen["counters_version"]) == (True, 1, 1)

    async def test_like_is_taken_back_by_its_owner_only(
        self, learner: Person, stranger: Person, book: dict[str, Any]
    ) -> None:
        """Another's unlike takes nothing away, and an unlike without a like changes nothing."""
        await record(learner, book, "like")
        assert (await record(stranger, book, "unlike"))["likes"] == 1
        assert (await record(learner, book, "unlike"))["likes"] == 0
        assert (await record(learner, book, "unlike"))["version"] == 2

    async def test_view_counts_once_per_person_and_window(
        self, learner: Person, stranger: Person, book: dict[str, Any]
    ) -> None:
        """Reloading a page is not reading twice; a download is another thing than a view."""
        await record(learner, book, "view")
        await record(learner, book, "view")
        await record(learner, book, "download")
        counted = await record(stranger, book, "view")
        assert (counted["views"], counted["downloads"]) == (2, 1)


class TestStats:
    async def test_anonymous(self, nobody: httpx.AsyncClient) -> None:
        """Only the catalogue itself is public."""
        assert code_of(await nobody.get(STATS)) == (401, "unauthorized")

    async def test_of_a_book(self, learner: Person, book: dict[str, Any]) -> None:
        """The same counters as everywhere."""
        counted = await record(learner, book, "like")
        answer = await learner.http.get(STATS, params={"book_id": book["id"]})
        assert answer.json() == counted

    async def test_of_an_unknown_book(self, learner: Person) -> None:
        """No figures without a book."""
        answer = await learner.http.get(STATS, params={"book_id": 2147483647})
        assert code_of(answer) == (404, "book-not-found")

    async def test_of_the_library_is_for_those_who_manage_it(
        self, learner: Person, moderator: Person, teacher: Person, book: dict[str, Any]
    ) -> None:
        """Totals and the most used books."""
        await record(learner, book, "like")
        for person in (learner, moderator):
            assert code_of(await person.http.get(STATS)) == (403, "forbidden")
        body = (await teacher.http.get(STATS)).raise_for_status().json()
        assert body["likes"] >= 1
        assert "book_id" not in body
        assert body["most_liked"][0]["likes"] >= 1


class TestTruth:
    async def test_counters_equal_rows_after_a_storm(self, served: Served, person: Any) -> None:
        """Twenty people like and unlike two books at once, some twice: every counter is the number
        of its rows, and every version was published once."""
        house = served.house
        people = [await person() for _ in range(20)]
        teacher = await person(Role.TEACHER)
        books = [(await add_book(teacher))["id"] for _ in range(2)]
        published: dict[str, list[int]] = {}

        async def publish(channel: str, _data: bytes, version: int) -> None:
            published.setdefault(channel, []).append(version)

        interactions = Interactions(
            house.db, house.catalog, publish, secret=Secret("s" * 32), view_window_s=60
        )
        rng = random.Random(7)
        turns = asyncio.Semaphore(8)

        async def act(who: Person, book_id: int, kind: str) -> None:
            principal = Principal(who.id, who.role, "", "", who.email)
            async with turns:
                await interactions.record(principal, RecordInteraction(book_id, kind))

        kinds = ["like", "unlike", "like", "view", "download"]
        acts = [(rng.choice(people), rng.choice(books), rng.choice(kinds)) for _ in range(600)]
        acts += rng.sample(acts, 60)
        await asyncio.gather(*(act(*one) for one in acts))
        for book_id in books:
            rows = await house.db.fetchrow(ROWS, book_id)
            counters = await house.catalog.counters(book_id)
            assert (counters.views, counters.downloads, counters.likes) == tuple(rows)
            versions = published[f"book:{book_id}"]
            assert sorted(versions) == list(range(1, counters.version + 1))


class TestChannel:
    async def test_snapshot_is_the_answer_of_rest(
        self, served: Served, learner: Person, book: dict[str, Any]
    ) -> None:
        """Whoever subscribes, signed in or not, starts from the same counters."""
        counted = await record(learner, book, "like")
        [family] = families(served.house.interactions)
        await family.authorize(ANONYMOUS, f"book:{book['id']}")
        snapshot = await family.snapshot(ANONYMOUS, f"book:{book['id']}")
        assert httpx.Response(200, content=snapshot.data).json() == counted
        assert snapshot.version == counted["version"]

    @pytest.mark.parametrize(
        "name", ["", "0", "x", "-1", "01", "1:2", "2147483647", "9" * 30, "\uff11", "1 "]
    )
    async def test_unknown_book_is_not_found(self, served: Served, name: str) -> None:
        """A channel without a book does not exist."""
        [family] = families(served.house.interactions)
        with pytest.raises(BookNotFound):
            await family.authorize(ANONYMOUS, f"book:{name}")
