"""Books over real HTTP: who may read and change them, and what is refused."""

from typing import Any

import httpx
import pytest

from tests.support.house import Person
from tests.support.library import BOOKS, add_book, add_category, add_group
from tests.support.problems import code_of

ABSENT = f"{BOOKS}/2147483647"


class TestGetBook:
    async def test_anonymous_reads_and_likes_are_unknown(
        self, nobody: httpx.AsyncClient, teacher: Person
    ) -> None:
        """Everybody may read a book; `liked` says something about people only."""
        book = await add_book(teacher, author="Jane Austen", year=1813, subjects=["love"])
        answer = await nobody.get(f"{BOOKS}/{book['id']}")
        assert answer.status_code == 200
        assert answer.headers["etag"] == '"1"'
        body = answer.json()
        assert body["liked"] is None
        assert (body["author"], body["year"], body["subjects"]) == ("Jane Austen", 1813, ["love"])
        assert (body["views"], body["likes"], body["downloads"]) == (0, 0, 0)
        assert (body["has_text"], body["chapters_count"], body["cover"]) == (False, 0, None)

    @pytest.mark.parametrize("book_id", ["2147483647", "0", "99999999999", "9" * 30, "-1"])
    async def test_absent_is_404_or_400(self, nobody: httpx.AsyncClient, book_id: str) -> None:
        """No number of whatever size reaches the database as a fault."""
        answer = await nobody.get(f"{BOOKS}/{book_id}")
        assert answer.status_code in {400, 404}
        assert answer.headers["content-type"] == "application/problem+json"


class TestCreateBook:
    async def test_anonymous(self, nobody: httpx.AsyncClient) -> None:
        """Adding needs a person, whatever the body is."""
        assert code_of(await nobody.post(BOOKS, json={"nonsense": 1})) == (401, "unauthorized")

    async def test_learner_may_not(self, learner: Person) -> None:
        """Only teachers and admins change the catalogue."""
        answer = await learner.http.post(BOOKS, json={"title": "Mine"})
        assert code_of(answer) == (403, "forbidden")

    async def test_admin_may(self, admin: Person) -> None:
        """The answer says where the book stands and in which version."""
        answer = await admin.http.post(BOOKS, json={"title": "  Emma  ", "extra": {"isbn": ["1"]}})
        assert answer.status_code == 201
        body = answer.json()
        assert answer.headers["location"] == f"{BOOKS}/{body['id']}"
        assert answer.headers["etag"] == '"1"'
        assert (body["title"], body["extra"], body["liked"]) == ("Emma", {"isbn": ["1"]}, False)

    async def test_group_brings_its_category(self, teacher: Person) -> None:
        """A book in a group needs no category of its own."""
        category = await add_category(teacher)
        group = await add_group(teacher, category)
        book = await add_book(teacher, group_id=group["id"])
        assert (book["category_id"], book["category"]) == (category["id"], category["name"])
        assert book["group"] == group["name"]

    async def test_group_of_another_category_is_refused(self, teacher: Person) -> None:
        """A book never stands in a group of another category."""
        group = await add_group(teacher, await add_category(teacher))
        other = await add_category(teacher)
        body = {"title": "Lost", "group_id": group["id"], "category_id": other["id"]}
        answer = await teacher.http.post(BOOKS, json=body)
        assert code_of(answer) == (422, "group-in-other-category")

    @pytest.mark.parametrize("field", ["group_id", "category_id"])
    async def test_unknown_place_is_refused(self, teacher: Person, field: str) -> None:
        """A place that does not exist is the sender's mistake."""
        answer = await teacher.http.post(BOOKS, json={"title": "Lost", field: 2147483647})
        assert code_of(answer) == (422, "unknown-place")

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"title": ""},
            {"title": "   "},
            {"title": "a\x00b"},
            {"title": "x" * 301},
            {"title": 5},
            {"title": "A", "unknown": 1},
            {"title": "A", "category_id": "1"},
            {"title": "A", "category_id": 2**40},
            {"title": "A", "year": 1.5},
            {"title": "A", "language": "English"},
            {"title": "A", "subjects": ["x"] * 21},
            {"title": "A", "extra": []},
            {"title": "A", "extra": {"a": "\x00"}},
            {"title": "A", "extra": {"a": "x" * 20_000}},
            {"title": "A", "description": "\x00"},
        ],
        ids=str,
    )
    async def test_bad_input_is_400(self, teacher: Person, body: dict[str, Any]) -> None:
        """Unknown fields, wrong types, and what PostgreSQL cannot store: a problem, never a 500."""
        answer = await teacher.http.post(BOOKS, json=body)
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"] == "application/problem+json"

    async def test_malformed_json_is_400(self, teacher: Person) -> None:
        """Half a body is told to be half a body."""
        headers = {"content-type": "application/json"}
        answer = await teacher.http.post(BOOKS, content=b'{"title": "A', headers=headers)
        assert code_of(answer) == (400, "malformed-json")


class TestUpdateBook:
    async def test_anonymous(self, nobody: httpx.AsyncClient) -> None:
        """Even for a book that does not exist."""
        assert code_of(await nobody.put(ABSENT, json={})) == (401, "unauthorized")

    async def test_absent(self, teacher: Person) -> None:
        """A change needs a book."""
        answer = await teacher.http.put(ABSENT, json={"title": "A"})
        assert code_of(answer) == (404, "book-not-found")

    async def test_absent_fields_stay_and_null_clears(self, teacher: Person) -> None:
        """What was not sent is not touched."""
        book = await add_book(teacher, author="A", year=1900, description="Words")
        answer = await teacher.http.put(f"{BOOKS}/{book['id']}", json={"year": None})
        body = answer.raise_for_status().json()
        assert (body["author"], body["year"], body["description"]) == ("A", None, "Words")
        assert (body["version"], answer.headers["etag"]) == (2, '"2"')

    async def test_stale_if_match_is_412(self, teacher: Person, admin: Person) -> None:
        """Two editors: the second learns that the book has changed, and nothing is lost."""
        book = await add_book(teacher)
        url, headers = f"{BOOKS}/{book['id']}", {"If-Match": '"1"'}
        first = await teacher.http.put(url, json={"title": "First"}, headers=headers)
        assert first.status_code == 200
        second = await admin.http.put(url, json={"title": "Second"}, headers=headers)
        assert code_of(second) == (412, "precondition-failed")
        assert second.json()["current_version"] == 2
        assert (await admin.http.get(url)).json()["title"] == "First"

    async def test_move_to_another_category_needs_the_group_too(self, teacher: Person) -> None:
        """A group cannot be left behind in silence."""
        group = await add_group(teacher, await add_category(teacher))
        other = await add_category(teacher)
        book = await add_book(teacher, group_id=group["id"])
        url = f"{BOOKS}/{book['id']}"
        answer = await teacher.http.put(url, json={"category_id": other["id"]})
        assert code_of(answer) == (422, "group-in-other-category")
        moved = {"category_id": other["id"], "group_id": None}
        body = (await teacher.http.put(url, json=moved)).raise_for_status().json()
        assert (body["category_id"], body["group_id"]) == (other["id"], None)


class TestDeleteBook:
    async def test_learner_may_not(self, learner: Person, teacher: Person) -> None:
        """Only teachers and admins change the catalogue."""
        book = await add_book(teacher)
        answer = await learner.http.delete(f"{BOOKS}/{book['id']}")
        assert code_of(answer) == (403, "forbidden")

    async def test_stale_if_match_keeps_the_book(self, teacher: Person) -> None:
        """A book that has changed since is not removed."""
        book = await add_book(teacher)
        url = f"{BOOKS}/{book['id']}"
        answer = await teacher.http.delete(url, headers={"If-Match": '"7"'})
        assert code_of(answer) == (412, "precondition-failed")
        assert (await teacher.http.get(url)).status_code == 200

    async def test_gone_with_its_counts(self, teacher: Person, learner: Person) -> None:
        """Afterwards there is no such book, for anybody, twice."""
        book = await add_book(teacher)
        like = {"book_id": book["id"], "type": "like"}
        (await learner.http.post("/api/v1/interactions", json=like)).raise_for_status()
        url = f"{BOOKS}/{book['id']}"
        assert (await teacher.http.delete(url)).status_code == 204
        assert code_of(await teacher.http.get(url)) == (404, "book-not-found")
        assert code_of(await teacher.http.delete(url)) == (404, "book-not-found")
