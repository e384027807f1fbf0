"""Reports over real HTTP: who may file, see and decide them, and how refusals look."""

import asyncio
from itertools import count
from typing import Any

import httpx
import pytest

from app.kit.principal import Role
from tests.support.house import MakePerson, Person

URL = "/api/v1/reports"
numbers = count(1)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and stable code of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


@pytest.fixture
async def target(person: MakePerson) -> Person:
    """Somebody whom nobody has reported yet."""
    return await person(Role.USER, f"Troll {next(numbers)}")


def about(person: Person, **changes: Any) -> dict[str, Any]:
    return {"target_type": "user", "target_id": person.id, "reason": "Rude name", **changes}


async def filed(by: Person, target: Person) -> dict[str, Any]:
    answer = await by.http.post(URL, json=about(target))
    return answer.raise_for_status().json()


async def decide(by: Person, report: dict[str, Any], status: str, version: int) -> httpx.Response:
    headers = {"If-Match": f'"{version}"'}
    return await by.http.put(f"{URL}/{report['id']}", json={"status": status}, headers=headers)


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
        assert target.id not in [report["target_id"] for report in mine]

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


class TestDecideReport:
    async def test_anonymous_and_learner(
        self, nobody: httpx.AsyncClient, learner: Person, target: Person
    ) -> None:
        """401 and 403, and the report still waits."""
        report = await filed(learner, target)
        answer = await nobody.put(f"{URL}/{report['id']}", json={"status": "resolved"})
        assert code_of(answer) == (401, "unauthorized")
        assert code_of(await decide(learner, report, "resolved", 1)) == (403, "forbidden")
        mine = (await learner.http.get(f"{URL}/{report['id']}")).json()
        assert (mine["status"], mine["version"]) == ("pending", 1)

    async def test_if_match_is_required(
        self, learner: Person, moderator: Person, target: Person
    ) -> None:
        """428 without the version, also for `*`."""
        report = await filed(learner, target)
        for headers in ({}, {"If-Match": "*"}):
            answer = await moderator.http.put(
                f"{URL}/{report['id']}", json={"status": "resolved"}, headers=headers
            )
            assert code_of(answer) == (428, "precondition-required")

    async def test_decision_answers_the_new_version(
        self, learner: Person, moderator: Person, target: Person
    ) -> None:
        """Who decided and when stand in the report; the reporter sees the outcome alone."""
        report = await filed(learner, target)
        answer = await decide(moderator, report, "rejected", 1)
        assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
        assert answer.json()["decided_by"] == moderator.id
        mine = (await learner.http.get(f"{URL}/{report['id']}")).json()
        assert (mine["status"], mine["decided_by"], mine["decider"]) == ("rejected", None, None)

    async def test_second_moderator_learns_what_stands(
        self, learner: Person, moderator: Person, admin: Person, target: Person
    ) -> None:
        """409 with the report as it is now."""
        report = await filed(learner, target)
        answers = await asyncio.gather(
            decide(moderator, report, "resolved", 1), decide(admin, report, "rejected", 1)
        )
        won, lost = sorted(answers, key=lambda answer: answer.status_code)
        assert won.status_code == 200
        assert code_of(lost) == (409, "report-already-decided")
        assert lost.json()["report"] == won.json()
        assert lost.json()["current_version"] == 2

    async def test_taken_back_and_stale(
        self, learner: Person, moderator: Person, target: Person
    ) -> None:
        """412 for an old version of a report that waits again."""
        report = await filed(learner, target)
        await decide(moderator, report, "resolved", 1)
        assert (await decide(moderator, report, "pending", 2)).json()["status"] == "pending"
        late = await decide(moderator, report, "rejected", 1)
        assert code_of(late) == (412, "precondition-failed")

    @pytest.mark.parametrize("body", [{"status": "closed"}, {}, {"status": "resolved", "x": 1}])
    async def test_bad_status(
        self, learner: Person, moderator: Person, target: Person, body: dict[str, Any]
    ) -> None:
        """Only the three states exist."""
        report = await filed(learner, target)
        headers = {"If-Match": '"1"'}
        answer = await moderator.http.put(f"{URL}/{report['id']}", json=body, headers=headers)
        assert code_of(answer) == (400, "invalid-input")

    @pytest.mark.parametrize("version", ["abc", '"1', '"1", "2"', "9" * 40, "-1"])
    async def test_malformed_if_match(
        self, learner: Person, moderator: Person, target: Person, version: str
    ) -> None:
        """A version that was never given decides nothing."""
        report = await filed(learner, target)
        answer = await moderator.http.put(
            f"{URL}/{report['id']}", json={"status": "resolved"}, headers={"If-Match": version}
        )
        assert answer.status_code in {400, 412, 200 if version == '"1' else 412}

    async def test_absent_report(self, moderator: Person) -> None:
        """404, in the same form."""
        answer = await decide(moderator, {"id": 2**31 - 1}, "resolved", 1)
        assert code_of(answer) == (404, "not-found")
