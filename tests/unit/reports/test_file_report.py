"""Filing reports, on a real database."""

import asyncio

import pytest

from app.kit.errors import (
    InvalidInput,
    NotFound,
)
from app.kit.principal import Principal
from app.reports.schemas import (
    DecideReport,
    ReportStatus,
    UnknownTargetType,
)
from app.reports.service import QUEUE
from tests.support.rooms import HIDDEN, Rooms, about, filed, targets

REJECT = DecideReport(ReportStatus.REJECTED)


class TestFileReport:
    async def test_pending_report_with_its_target_and_reporter(
        self, rooms: Rooms, learner: Principal
    ) -> None:
        """A new report says what, who and that it waits."""
        report, is_new = await rooms.reports.file_report(learner, about(7, extra={"page": 3}))
        assert is_new
        assert (report.status, report.version) == (ReportStatus.PENDING, 1)
        assert (report.target.title, report.reporter.name) == ("Thing 7", "Lea")
        assert report.extra == {"page": 3}

    async def test_again_while_looked_at_answers_the_first(
        self, rooms: Rooms, learner: Principal
    ) -> None:
        """The same person's second report of an open case is the first one."""
        first = await filed(rooms, learner)
        events = len(rooms.events(QUEUE))
        again, is_new = await rooms.reports.file_report(learner, about(first.target_id))
        assert (again.id, is_new) == (first.id, False)
        assert len(rooms.events(QUEUE)) == events

    async def test_two_people_share_one_case(
        self, rooms: Rooms, learner: Principal, stranger: Principal
    ) -> None:
        """All open reports on one target hang together."""
        first = await filed(rooms, learner)
        second = await filed(rooms, stranger, first.target_id)
        assert first.id != second.id
        assert first.case_id == second.case_id

    async def test_after_the_case_is_closed_a_new_one_opens(
        self, rooms: Rooms, learner: Principal, moderator: Principal
    ) -> None:
        """A decided matter can be reported again."""
        first = await filed(rooms, learner)
        await rooms.reports.decide_report(moderator, first.id, REJECT, 1)
        again, is_new = await rooms.reports.file_report(learner, about(first.target_id))
        assert is_new
        assert again.case_id != first.case_id

    async def test_many_at_once_make_one_report_and_one_case(
        self, rooms: Rooms, learner: Principal
    ) -> None:
        """An impatient finger files once."""
        target = next(targets)
        tries = await asyncio.gather(
            *(rooms.reports.file_report(learner, about(target)) for _ in range(20))
        )
        assert len({report.id for report, _ in tries}) == 1
        assert sum(is_new for _, is_new in tries) == 1

    @pytest.mark.parametrize("kind", ["comment", "", "Book", "books"])
    async def test_unknown_target_type(self, rooms: Rooms, learner: Principal, kind: str) -> None:
        """Only what exists as a kind can be reported."""
        with pytest.raises(UnknownTargetType):
            await rooms.reports.file_report(learner, about(1, kind))

    async def test_hidden_target_looks_absent(self, rooms: Rooms, learner: Principal) -> None:
        """Nothing is written about a thing that the reporter cannot see."""
        with pytest.raises(NotFound):
            await rooms.reports.file_report(learner, about(HIDDEN))
        assert await rooms.db.fetchval("SELECT count(*) FROM cases WHERE target_id = 404") == 0

    @pytest.mark.parametrize("reason", ["   \n ", "\U0001d160" * 2000])
    async def test_reason_is_measured_as_stored(
        self, rooms: Rooms, learner: Principal, reason: str
    ) -> None:
        """Blank text, and text that grows when it is normalised, are refused as input."""
        with pytest.raises(InvalidInput) as refused:
            await rooms.reports.file_report(learner, about(1, reason=reason))
        assert refused.value.extra["errors"][0].field == "reason"

    async def test_large_extra_is_refused(self, rooms: Rooms, learner: Principal) -> None:
        """The bag for extras has a bottom."""
        with pytest.raises(InvalidInput) as refused:
            await rooms.reports.file_report(learner, about(1, extra={"x": "y" * 4096}))
        assert refused.value.extra["errors"][0].field == "extra"
