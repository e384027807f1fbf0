"""Decisions on reports over real HTTP: one moderator wins, everybody learns what stands."""

import asyncio
from itertools import count
from typing import Any

import httpx
import pytest

from app.kit.principal import Role
from tests.support.filing import URL, decide, filed
from tests.support.house import MakePerson, Person
from tests.support.problems import code_of

numbers = count(1)


@pytest.fixture
async def target(person: MakePerson) -> Person:
    """Somebody whom nobody has reported yet."""
    return await person(Role.USER, f"Troll {next(numbers)}")


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

    @pytest.mark.parametrize("version", ["abc", '"1", "2"', "9" * 40, "-1"])
    async def test_malformed_if_match(
        self, learner: Person, moderator: Person, target: Person, version: str
    ) -> None:
        """A version that was never given decides nothing."""
        report = await filed(learner, target)
        answer = await moderator.http.put(
            f"{URL}/{report['id']}", json={"status": "resolved"}, headers={"If-Match": version}
        )
        assert code_of(answer) == (400, "invalid-input")

    async def test_absent_report(self, moderator: Person) -> None:
        """404, in the same form."""
        answer = await decide(moderator, {"id": 2**31 - 1}, "resolved", 1)
        assert code_of(answer) == (404, "not-found")
