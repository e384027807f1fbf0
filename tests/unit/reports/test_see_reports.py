"""Who sees which reports, and what is told live and to the audit log."""

import asyncio

import msgspec
import pytest

from app.audit.schemas import AuditQuery
from app.infra.listing import PageRequest
from app.kit.errors import (
    Forbidden,
    NotFound,
)
from app.kit.principal import Principal
from app.reports.schemas import (
    DecideReport,
    QueueState,
    Report,
    ReportQuery,
    ReportStatus,
)
from app.reports.service import QUEUE
from tests.support.rooms import Rooms, add_person, filed, targets

RESOLVE = DecideReport(ReportStatus.RESOLVED)
REJECT = DecideReport(ReportStatus.REJECTED)


class TestRead:
    async def test_stranger_sees_nothing(
        self, rooms: Rooms, learner: Principal, stranger: Principal
    ) -> None:
        """Somebody else's report looks absent."""
        report = await filed(rooms, learner)
        with pytest.raises(NotFound):
            await rooms.reports.visible_report(stranger, report.id)

    async def test_reporter_is_not_told_who_decided(
        self, rooms: Rooms, learner: Principal, moderator: Principal
    ) -> None:
        """The outcome is theirs, the moderator's name is not."""
        report = await filed(rooms, learner)
        await rooms.reports.decide_report(moderator, report.id, REJECT, 1)
        seen = await rooms.reports.visible_report(learner, report.id)
        assert (seen.status, seen.decided_by, seen.decider) == (ReportStatus.REJECTED, None, None)
        assert (await rooms.reports.visible_report(moderator, report.id)).decider is not None

    async def test_list_is_for_staff(self, rooms: Rooms, learner: Principal) -> None:
        """Learners have their own list."""
        with pytest.raises(Forbidden):
            await rooms.reports.list_reports(learner, ReportQuery(), PageRequest())

    async def test_filters_and_pages(
        self, rooms: Rooms, stranger: Principal, moderator: Principal
    ) -> None:
        """Every filter holds on every page, newest first, without overlap."""
        target = next(targets)
        people = [await add_person(rooms.db) for _ in range(5)]
        ids = [(await filed(rooms, person, target)).id for person in people]
        wanted = ReportQuery(q="thing", status=ReportStatus.PENDING, target_id=target)
        first = await rooms.reports.list_reports(moderator, wanted, PageRequest(limit=3))
        rest = await rooms.reports.list_reports(
            moderator, wanted, PageRequest(limit=3, cursor=first.next)
        )
        assert [report.id for report in (*first.items, *rest.items)] == ids[::-1]
        assert rest.next is None

    async def test_own_list(self, rooms: Rooms, moderator: Principal) -> None:
        """Everybody finds what they have reported, and only that."""
        person = await add_person(rooms.db)
        report = await filed(rooms, person)
        page = await rooms.reports.my_reports(person, PageRequest())
        assert [item.id for item in page.items] == [report.id]


class TestEvents:
    async def test_queue_and_reporter_are_told_in_log_order(
        self, rooms: Rooms, learner: Principal, moderator: Principal
    ) -> None:
        """What was published is what the durable log holds, at the same offsets."""
        before = (await rooms.log.head(QUEUE)).offset
        report = await filed(rooms, learner)
        await rooms.reports.decide_report(moderator, report.id, RESOLVE, 1)
        logged = await rooms.log.read(QUEUE, before, 10)
        assert [msgspec.json.decode(p.data)["type"] for p in logged] == [
            "report.filed",
            "report.updated",
        ]
        published = [p for name, p in rooms.published if name == QUEUE and p.offset > before]
        assert [(p.offset, msgspec.json.decode(p.data)) for p in published] == [
            (p.offset, msgspec.json.decode(p.data)) for p in logged
        ]
        own = rooms.events(f"user:{learner.user_id}")[-1]
        assert own["type"] == "report.decided"
        assert (own["report"]["id"], own["report"]["decided_by"]) == (report.id, None)

    async def test_snapshot_and_later_events_are_the_fresh_state(
        self, rooms: Rooms, moderator: Principal
    ) -> None:
        """At any moment, the snapshot plus the events after its offset is the fresh state."""
        people = [await add_person(rooms.db) for _ in range(12)]
        snapshots = []

        async def act(person: Principal, how: DecideReport) -> None:
            report = await filed(rooms, person)
            snapshots.append(await rooms.reports.queue_snapshot())
            await rooms.reports.decide_report(moderator, report.id, how, 1)
            await filed(rooms, person)

        await asyncio.gather(
            *(act(person, RESOLVE if n % 2 else REJECT) for n, person in enumerate(people))
        )
        fresh = await rooms.reports.queue_snapshot()
        expected = pending(fresh.data)
        for snapshot in snapshots:
            state = pending(snapshot.data)
            for publication in await rooms.log.read(QUEUE, snapshot.offset, 1000):
                if publication.offset <= fresh.offset:
                    apply(state, publication.data)
            assert {k: v for k, v in state.items() if k in expected} == expected
            assert snapshot.epoch == fresh.epoch

    async def test_audit_names_moderator_and_change(
        self, rooms: Rooms, learner: Principal, moderator: Principal, admin: Principal
    ) -> None:
        """The log says who decided what from which state."""
        report = await filed(rooms, learner)
        await rooms.reports.decide_report(moderator, report.id, REJECT, 1)
        wanted = AuditQuery(target_type="report", target_id=str(report.id))
        decided, filing = (await rooms.audit.list_entries(admin, wanted)).items
        assert (filing.action, filing.actor_id) == ("report.filed", learner.user_id)
        assert (decided.action, decided.actor_id) == ("report.decided", moderator.user_id)
        assert (decided.detail["from"], decided.detail["to"]) == ("pending", "rejected")


def pending(data: bytes) -> dict[int, Report]:
    return {report.id: report for report in msgspec.json.decode(data, type=QueueState).reports}


def apply(state: dict[int, Report], event: bytes) -> None:
    report = msgspec.convert(msgspec.json.decode(event)["report"], Report)
    if report.status is ReportStatus.PENDING:
        state[report.id] = report
    else:
        state.pop(report.id, None)
