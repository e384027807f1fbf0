"""Reports over real HTTP: who may file and see them, and how refusals look."""

from itertools import count
from typing import Any

import httpx
import pytest

from app.chat.schemas import AskTutor
from app.kit.principal import Principal, Role
from tests.support.filing import URL, about, filed
from tests.support.house import MakePerson, Person, Served
from tests.support.problems import code_of

numbers = count(1)


@pytest.fixture
async def target(person: MakePerson) -> Person:
    """Somebody whom nobody has reported yet."""
    return await person(Role.USER, f"Troll {next(numbers)}")


class TestFileReport:
    async def test_anonymous(self, nobody: httpx.AsyncClient) -> None:
        """A report needs a reporter, whatever the body is."""
        assert code_of(await nobody.post(URL, json={"nonsense": 1})) == (401, "unauthorized")

    async def test_created_with_location_and_etag(self, learner: Person, target: Person) -> None:
        """The answer says where the report stands and in which version."""
        answer = await learner.http.post(URL, json=about(target, extra={"page": 3}))
        assert answer.status_code == 201
        body = answer.json()
        assert answer.headers["location"] == f"{URL}/{body['id']}"
        assert answer.headers["etag"] == '"1"'
        assert (body["status"], body["user_id"], body["extra"]) == (
            "pending",
            learner.id,
            {"page": 3},
        )
        assert body["target"]["title"].startswith("Troll")
        assert body["decided_by"] is None

    async def test_again_answers_the_first_with_200(self, learner: Person, target: Person) -> None:
        """One open report per person and thing."""
        first = await filed(learner, target)
        again = await learner.http.post(URL, json=about(target, reason="Still rude"))
        assert (again.status_code, again.json()) == (200, first)

    async def test_idempotency_key_replays(self, learner: Person, target: Person) -> None:
        """A retried report is answered as the first time, with 201."""
        headers = {"Idempotency-Key": f"report-{target.id}"}
        answers = [
            await learner.http.post(URL, json=about(target), headers=headers) for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[1].headers["idempotency-replayed"] == "true"

    @pytest.mark.parametrize("kind", ["comment", "Book", ""])
    async def test_unknown_target_type(self, learner: Person, kind: str) -> None:
        """422 for a kind that does not exist."""
        body = {"target_type": kind, "target_id": 1, "reason": "x"}
        assert code_of(await learner.http.post(URL, json=body)) == (422, "unknown-target-type")

    async def test_absent_target(self, learner: Person) -> None:
        """404 for a person who does not exist."""
        body = {"target_type": "user", "target_id": 2**31 - 1, "reason": "x"}
        assert code_of(await learner.http.post(URL, json=body)) == (404, "not-found")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"reason": ""}, "reason"),
            ({"reason": " \n"}, "reason"),
            ({"reason": "x" * 2001}, "reason"),
            ({"reason": "a\u0000b"}, "reason"),
            ({"reason": None}, "reason"),
            ({"target_id": 0}, "target_id"),
            ({"target_id": 2**31}, "target_id"),
            ({"target_id": "1"}, "target_id"),
            ({"target_id": True}, "target_id"),
            ({"target_type": 5}, "target_type"),
            ({"extra": []}, "extra"),
            ({"extra": {"x": "y" * 5000}}, "extra"),
            ({"status": "resolved"}, ""),
        ],
    )
    async def test_bad_input_is_named(
        self, learner: Person, target: Person, change: dict[str, Any], field: str
    ) -> None:
        """400 names the field; nothing is written."""
        answer = await learner.http.post(URL, json=about(target, **change))
        assert code_of(answer) == (400, "invalid-input")
        assert field in str(answer.json().get("errors"))
        mine = (await learner.http.get(f"{URL}/mine")).json()["items"]
        assert ("user", target.id) not in [(one["target_type"], one["target_id"]) for one in mine]

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"{", "malformed-json"),
            (b"", "malformed-json"),
            (b'{"reason": "\xff"}', "malformed-json"),
            (b'{"extra": ' + b"[" * 5000, "malformed-json"),
            (b"[]", "invalid-input"),
        ],
    )
    async def test_body_that_is_no_report(self, learner: Person, body: bytes, code: str) -> None:
        """Broken JSON is a client's fault, however it is broken."""
        headers = {"content-type": "application/json"}
        answer = await learner.http.post(URL, content=body, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["code"] in {code, "invalid-input"}

    async def test_book(self, learner: Person, teacher: Person) -> None:
        """A book is named by its title and leads to its page."""
        book = (await teacher.http.post("/api/v1/books", json={"title": "Emma"})).json()
        body = {"target_type": "book", "target_id": book["id"], "reason": "By Jane Austen"}
        report = (await learner.http.post(URL, json=body)).raise_for_status().json()
        assert report["target"] == {"title": "Emma", "url": f"/books/{book['id']}"}

    async def test_message_of_ones_own_conversation_only(
        self, learner: Person, stranger: Person, served: Served
    ) -> None:
        """A tutor's answer can be reported by the one who asked and is hidden from others."""
        asker = Principal(learner.id, learner.role, "s", "", learner.email)
        asked = await served.house.chat.ask(asker, AskTutor("What is a cell?"))
        body = {"target_type": "message", "target_id": asked.message_id, "reason": "Wrong"}
        assert code_of(await stranger.http.post(URL, json=body)) == (404, "not-found")
        assert (await learner.http.post(URL, json=body)).status_code == 201

    async def test_nul_in_extra(self, learner: Person, target: Person) -> None:
        """PostgreSQL cannot store U+0000: refused, not failed."""
        answer = await learner.http.post(URL, json=about(target, extra={"a": "\u0000"}))
        assert answer.status_code == 400


class TestListReports:
    async def test_anonymous(self, nobody: httpx.AsyncClient) -> None:
        """Nobody sees nothing."""
        assert code_of(await nobody.get(URL)) == (401, "unauthorized")

    async def test_learners_and_teachers_may_not(self, learner: Person, teacher: Person) -> None:
        """The list is for staff."""
        for who in (learner, teacher):
            assert code_of(await who.http.get(URL)) == (403, "forbidden")

    async def test_filters_sort_and_cursor(
        self, learner: Person, stranger: Person, moderator: Person, target: Person
    ) -> None:
        """Filters hold on all pages; the oldest can come first."""
        ids = [(await filed(who, target))["id"] for who in (learner, stranger)]
        wanted = {"target_type": "user", "target_id": target.id, "status": "pending", "limit": 1}
        for sort, expected in (("created_at", ids), ("-created_at", ids[::-1])):
            first = (await moderator.http.get(URL, params={**wanted, "sort": sort})).json()
            rest = (
                await moderator.http.get(
                    URL, params={**wanted, "sort": sort, "cursor": first["next"]}
                )
            ).json()
            assert [item["id"] for item in first["items"] + rest["items"]] == expected
            assert rest["next"] is None

    @pytest.mark.parametrize(
        "params",
        [
            {"status": "open"},
            {"target_type": "comment"},
            {"limit": 0},
            {"limit": 101},
            {"sort": "reason"},
            {"cursor": "nonsense"},
            {"user_id": 0},
            {"q": "x" * 201},
        ],
    )
    async def test_bad_parameters(self, moderator: Person, params: dict[str, Any]) -> None:
        """Each is refused as input."""
        assert code_of(await moderator.http.get(URL, params=params)) == (400, "invalid-input")

    async def test_search_takes_text_literally(self, moderator: Person) -> None:
        """A percent sign finds a percent sign."""
        answer = await moderator.http.get(URL, params={"q": "%_\\"})
        assert answer.json()["items"] == []


class TestGetReport:
    async def test_stranger_and_absent_look_alike(
        self, learner: Person, stranger: Person, target: Person
    ) -> None:
        """Somebody else's report does not exist."""
        report = await filed(learner, target)
        for report_id in (report["id"], 2**31 - 1):
            answer = await stranger.http.get(f"{URL}/{report_id}")
            assert code_of(answer) == (404, "not-found")

    async def test_reporter_and_moderator_see_it(
        self, learner: Person, moderator: Person, target: Person
    ) -> None:
        """Its own reporter and staff do."""
        report = await filed(learner, target)
        for who in (learner, moderator):
            answer = await who.http.get(f"{URL}/{report['id']}")
            assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')

    async def test_unchanged_is_304(self, learner: Person, target: Person) -> None:
        """If-None-Match saves the body."""
        report = await filed(learner, target)
        headers = {"If-None-Match": '"1"'}
        answer = await learner.http.get(f"{URL}/{report['id']}", headers=headers)
        assert answer.status_code == 304
