"""Categories and groups over real HTTP."""

import httpx
import pytest

from tests.support.house import Person
from tests.support.library import BOOKS, add_book, add_category, add_group
from tests.support.problems import code_of

CATEGORIES, GROUPS = "/api/v1/categories", "/api/v1/groups"


@pytest.mark.parametrize("url", [CATEGORIES, GROUPS])
class TestPermissions:
    async def test_everybody_reads(self, nobody: httpx.AsyncClient, url: str) -> None:
        """The order of the library is public."""
        assert (await nobody.get(url)).status_code == 200

    async def test_anonymous_may_not_write(self, nobody: httpx.AsyncClient, url: str) -> None:
        """401 comes before any look at the body."""
        assert code_of(await nobody.post(url, json={})) == (401, "unauthorized")
        assert code_of(await nobody.put(f"{url}/1", json={})) == (401, "unauthorized")
        assert code_of(await nobody.delete(f"{url}/1")) == (401, "unauthorized")

    async def test_moderator_may_not_write(
        self, moderator: Person, teacher: Person, url: str
    ) -> None:
        """Moderators judge reports; the catalogue belongs to teachers and admins."""
        category = await add_category(teacher)
        body = {"name": "Mine"} | ({"category_id": category["id"]} if url == GROUPS else {})
        assert code_of(await moderator.http.post(url, json=body)) == (403, "forbidden")

    async def test_absent(self, teacher: Person, url: str) -> None:
        """404 with the code of the thing."""
        code = "category-not-found" if url == CATEGORIES else "group-not-found"
        for book_id in (2147483647, 10**9):
            assert code_of(await teacher.http.get(f"{url}/{book_id}")) == (404, code)
        assert code_of(await teacher.http.put(f"{url}/2147483647", json={})) == (404, code)
        assert code_of(await teacher.http.delete(f"{url}/2147483647")) == (404, code)


class TestCategories:
    async def test_life(self, teacher: Person) -> None:
        """Create, read with 304, change, stale change, delete."""
        category = await add_category(teacher)
        url = f"{CATEGORIES}/{category['id']}"
        answer = await teacher.http.get(url, headers={"If-None-Match": '"1"'})
        assert (answer.status_code, answer.content) == (304, b"")
        change = {"description": "All of it"}
        answer = await teacher.http.put(url, json=change, headers={"If-Match": '"1"'})
        assert (answer.json()["description"], answer.json()["version"]) == ("All of it", 2)
        answer = await teacher.http.put(url, json=change, headers={"If-Match": '"1"'})
        assert code_of(answer) == (412, "precondition-failed")
        assert (await teacher.http.delete(url)).status_code == 204

    async def test_name_is_unique_whatever_its_case(self, teacher: Person) -> None:
        """Two categories of one name would be one too many."""
        category = await add_category(teacher)
        answer = await teacher.http.post(CATEGORIES, json={"name": category["name"].upper()})
        assert code_of(answer) == (409, "name-taken")
        other = await add_category(teacher)
        url = f"{CATEGORIES}/{other['id']}"
        answer = await teacher.http.put(url, json={"name": category["name"]})
        assert code_of(answer) == (409, "name-taken")

    async def test_in_use_by_a_group_or_a_book(self, teacher: Person) -> None:
        """What holds something is not removed."""
        with_group, with_book = await add_category(teacher), await add_category(teacher)
        await add_group(teacher, with_group)
        await add_book(teacher, category_id=with_book["id"])
        for category in (with_group, with_book):
            answer = await teacher.http.delete(f"{CATEGORIES}/{category['id']}")
            assert code_of(answer) == (409, "category-in-use")

    async def test_search_takes_wildcards_literally(self, teacher: Person) -> None:
        """A percent sign is a percent sign."""
        category = await add_category(teacher)
        found = (await teacher.http.get(CATEGORIES, params={"q": category["name"][2:]})).json()
        assert [item["id"] for item in found["items"]] == [category["id"]]
        assert (await teacher.http.get(CATEGORIES, params={"q": "%"})).json()["items"] == []

    async def test_paging(self, teacher: Person) -> None:
        """Pages of one hold every category once."""
        for _ in range(3):
            await add_category(teacher)
        seen: list[int] = []
        cursor: str | None = None
        while True:
            params = {"limit": "1", "sort": "-name"} | ({"cursor": cursor} if cursor else {})
            body = (await teacher.http.get(CATEGORIES, params=params)).json()
            seen += [item["id"] for item in body["items"]]
            cursor = body["next"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) >= 3


class TestGroups:
    async def test_name_is_unique_in_its_category_only(self, teacher: Person) -> None:
        """Every science has its introduction."""
        one, two = await add_category(teacher), await add_category(teacher)
        group = await add_group(teacher, one)
        same = {"name": group["name"].lower(), "category_id": one["id"]}
        assert code_of(await teacher.http.post(GROUPS, json=same)) == (409, "name-taken")
        other = {"name": group["name"], "category_id": two["id"]}
        assert (await teacher.http.post(GROUPS, json=other)).status_code == 201

    async def test_unknown_category(self, teacher: Person) -> None:
        """A group stands somewhere."""
        answer = await teacher.http.post(GROUPS, json={"name": "A", "category_id": 2147483647})
        assert code_of(answer) == (422, "unknown-place")

    async def test_filter_by_category(self, teacher: Person, nobody: httpx.AsyncClient) -> None:
        """The groups of one category."""
        category = await add_category(teacher)
        group = await add_group(teacher, category)
        found = (await nobody.get(GROUPS, params={"category_id": category["id"]})).json()
        assert [item["id"] for item in found["items"]] == [group["id"]]

    async def test_moved_group_takes_its_books_along(self, teacher: Person) -> None:
        """A book's category is its group's, always; the move is a new version of the book."""
        old, new = await add_category(teacher), await add_category(teacher)
        group = await add_group(teacher, old)
        book = await add_book(teacher, group_id=group["id"])
        url = f"{GROUPS}/{group['id']}"
        (await teacher.http.put(url, json={"category_id": new["id"]})).raise_for_status()
        moved = (await teacher.http.get(f"{BOOKS}/{book['id']}")).json()
        assert (moved["category_id"], moved["version"]) == (new["id"], 2)

    async def test_in_use(self, teacher: Person) -> None:
        """A group with books is not removed; an empty one is."""
        group = await add_group(teacher, await add_category(teacher))
        book = await add_book(teacher, group_id=group["id"])
        url = f"{GROUPS}/{group['id']}"
        assert code_of(await teacher.http.delete(url)) == (409, "group-in-use")
        await teacher.http.delete(f"{BOOKS}/{book['id']}")
        assert (await teacher.http.delete(url)).status_code == 204
