"""Deciding reports and taking decisions back, on a real database."""

import asyncio

import pytest

from app.kit.errors import (
    Forbidden,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
)
from app.kit.principal import Principal
from app.reports.schemas import (
    DecideReport,
    Report,
    ReportAlreadyDecided,
    ReportFiledAgain,
    ReportStatus,
)
from tests.support.rooms import Rooms, about, case_status, filed

RESOLVE = DecideReport(ReportStatus.RESOLVED)
REJECT = DecideReport(ReportStatus.REJECTED)
REOPEN = DecideReport(ReportStatus.PENDING)
RACES = 200


class TestDecideReport:
    async def test_decision_closes_report_and_case(
        self, rooms: Rooms, learner: Principal, moderator: Principal
    ) -> None:
        """The last decision of a case closes it and says who decided when."""
        report = await filed(rooms, learner)
        decided = await rooms.reports.decide_report(moderator, report.id, RESOLVE, 1)
        assert (decided.status, decided.version) == (ReportStatus.RESOLVED, 2)
        assert decided.decider is not None
        assert (decided.decider.name, decided.decided_by) == ("Mo", moderator.user_id)
        assert decided.decided_at is not None
        assert await case_status(rooms, report) == "closed"

    async def test_case_stays_open_while_a_report_waits(
        self, rooms: Rooms, learner: Principal, stranger: Principal, moderator: Principal
    ) -> None:
        """A case is done when all its reports are."""
        first = await filed(rooms, learner)
        second = await filed(rooms, stranger, first.target_id)
        await rooms.reports.decide_report(moderator, first.id, RESOLVE, 1)
        assert await case_status(rooms, first) == "open"
        await rooms.reports.decide_report(moderator, second.id, RESOLVE, 1)
        assert await case_status(rooms, first) == "closed"

    async def test_learner_may_not(self, rooms: Rooms, learner: Principal) -> None:
        """Only staff decides."""
        report = await filed(rooms, learner)
        with pytest.raises(Forbidden):
            await rooms.reports.decide_report(learner, report.id, RESOLVE, 1)

    async def test_without_version_is_refused(
        self, rooms: Rooms, learner: Principal, moderator: Principal
    ) -> None:
        """Nobody decides on what they have not seen."""
        report = await filed(rooms, learner)
        with pytest.raises(PreconditionRequired):
            await rooms.reports.decide_report(moderator, report.id, RESOLVE, None)

    async def test_absent_report(self, rooms: Rooms, moderator: Principal) -> None:
        """There is nothing to decide."""
        with pytest.raises(NotFound):
            await rooms.reports.decide_report(moderator, 2**31 - 1, RESOLVE, 1)

    async def test_late_moderator_is_told_who_was_first(
        self, rooms: Rooms, learner: Principal, moderator: Principal, rival: Principal
    ) -> None:
        """The refusal carries the decision that stands."""
        report = await filed(rooms, learner)
        await rooms.reports.decide_report(moderator, report.id, RESOLVE, 1)
        with pytest.raises(ReportAlreadyDecided) as refused:
            await rooms.reports.decide_report(rival, report.id, REJECT, 1)
        current = refused.value.extra["report"]
        assert (current.status, current.decided_by) == (ReportStatus.RESOLVED, moderator.user_id)
        assert "Mo" in refused.value.detail

    async def test_old_version_of_a_pending_report_is_refused(
        self, rooms: Rooms, learner: Principal, moderator: Principal
    ) -> None:
        """A report that was reopened meanwhile must be read again."""
        report = await filed(rooms, learner)
        await rooms.reports.decide_report(moderator, report.id, RESOLVE, 1)
        await rooms.reports.decide_report(moderator, report.id, REOPEN, 2)
        with pytest.raises(PreconditionFailed):
            await rooms.reports.decide_report(moderator, report.id, REJECT, 1)

    async def test_same_status_again_changes_nothing(
        self, rooms: Rooms, learner: Principal, moderator: Principal
    ) -> None:
        """Saying it twice is saying it once."""
        report = await filed(rooms, learner)
        decided = await rooms.reports.decide_report(moderator, report.id, RESOLVE, 1)
        assert await rooms.reports.decide_report(moderator, report.id, RESOLVE, 2) == decided

    async def test_own_report_and_report_about_oneself_are_others_business(
        self, rooms: Rooms, learner: Principal, moderator: Principal, admin: Principal
    ) -> None:
        """A moderator is no judge in their own matter; an admin may be."""
        own = await filed(rooms, moderator)
        about_them, _ = await rooms.reports.file_report(learner, about(moderator.user_id, "user"))
        for report in (own, about_them):
            with pytest.raises(Forbidden):
                await rooms.reports.decide_report(moderator, report.id, RESOLVE, 1)
        own_of_admin = await filed(rooms, admin)
        await rooms.reports.decide_report(admin, own_of_admin.id, RESOLVE, 1)

    async def test_two_moderators_racing_exactly_one_wins(
        self, rooms: Rooms, learner: Principal, moderator: Principal, rival: Principal
    ) -> None:
        """200 reports, two moderators: one decision each, one audit entry each, both know it."""
        reports = [await filed(rooms, learner) for _ in range(RACES)]

        async def decide(who: Principal, how: DecideReport, report: Report) -> Report:
            try:
                return await rooms.reports.decide_report(who, report.id, how, 1)
            except ReportAlreadyDecided as late:
                return late.extra["report"]

        for report in reports:
            one, other = await asyncio.gather(
                decide(moderator, RESOLVE, report), decide(rival, REJECT, report)
            )
            assert one == other
            assert one.version == 2
        assert await rooms.db.fetchval(
            "SELECT bool_and(n = 1) FROM (SELECT count(*) AS n FROM audit_log "
            "WHERE action = 'report.decided' AND target_id = ANY($1) GROUP BY target_id) t",
            [str(report.id) for report in reports],
        )
        assert (await rooms.audit.verify()).intact


class TestReopen:
    async def test_takes_decision_and_case_back(
        self, rooms: Rooms, learner: Principal, moderator: Principal
    ) -> None:
        """A report made pending again waits in an open case, decided by nobody."""
        report = await filed(rooms, learner)
        await rooms.reports.decide_report(moderator, report.id, RESOLVE, 1)
        again = await rooms.reports.decide_report(moderator, report.id, REOPEN, 2)
        assert (again.status, again.decided_by, again.decided_at) == (
            ReportStatus.PENDING,
            None,
            None,
        )
        assert await case_status(rooms, again) == "open"

    async def test_joins_the_case_that_is_open_now(
        self, rooms: Rooms, learner: Principal, stranger: Principal, moderator: Principal
    ) -> None:
        """There is never a second open case for one target."""
        first = await filed(rooms, learner)
        await rooms.reports.decide_report(moderator, first.id, RESOLVE, 1)
        second = await filed(rooms, stranger, first.target_id)
        again = await rooms.reports.decide_report(moderator, first.id, REOPEN, 2)
        assert again.case_id == second.case_id

    async def test_is_refused_when_its_reporter_filed_anew(
        self, rooms: Rooms, learner: Principal, moderator: Principal
    ) -> None:
        """One person has one report in a case."""
        first = await filed(rooms, learner)
        await rooms.reports.decide_report(moderator, first.id, RESOLVE, 1)
        await filed(rooms, learner, first.target_id)
        with pytest.raises(ReportFiledAgain):
            await rooms.reports.decide_report(moderator, first.id, REOPEN, 2)
