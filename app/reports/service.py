"""Reports: filed once per reporter and case, decided by one moderator, told to whom it concerns."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from asyncpg import Connection
from msgspec import Struct

from app.audit.service import Audit
from app.infra.channel_log import DurableChannelLog
from app.infra.db import Database
from app.infra.listing import PageRequest
from app.infra.ratelimit import Pace, unhurried
from app.kit.clock import now
from app.kit.errors import (
    FieldError,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
)
from app.kit.ids import new_id
from app.kit.paging import Page
from app.kit.personal import Afterwards, Sections, nothing_afterwards
from app.kit.principal import Principal
from app.kit.text import tidy
from app.reports import policy, queries
from app.reports.schemas import (
    EXTRA_MAX_BYTES,
    REASON_MAX,
    DecideReport,
    FileReport,
    QueueState,
    Report,
    ReportAlreadyDecided,
    ReportDecided,
    ReportFiled,
    ReportFiledAgain,
    ReportQuery,
    ReportReopened,
    ReportStatus,
    ReportUpdated,
    Target,
    UnknownTargetType,
)
from realtime import Publication, Snapshot

QUEUE = "moderation:queue"
QUEUE_SHOWN = 100
"""Pending reports in a snapshot; the rest is paged over REST."""

PublishLog = Callable[[str, Publication], Awaitable[None]]
Told = list[tuple[str, Publication]]


TargetResolver = Callable[[Principal, int], Awaitable[Target]]
"""Finds a reported thing in the room that owns it; raises NotFound when absent or hidden."""


class Reports:
    """Filing, deciding and showing reports."""

    def __init__(
        self,
        db: Database,
        audit: Audit,
        log: DurableChannelLog,
        targets: Mapping[str, TargetResolver],
        *,
        publish_log: PublishLog,
        pace: Pace = unhurried,
    ) -> None:
        self._db = db
        self._audit = audit
        self._log = log
        self._targets = targets
        self._publish_log = publish_log
        self._pace = pace

    async def file_report(self, principal: Principal, form: FileReport) -> tuple[Report, bool]:
        """The report, and whether it is new: the same person's report of a thing that is still
        being looked at answers the first one.

        Raises TooManyRequests, UnknownTargetType, NotFound, InvalidInput.
        """
        await self._pace(principal.user_id)
        values = await self._checked(principal, form)
        target = (form.target_type, form.target_id)
        told: Told = []
        async with self._db.transaction() as tx:
            await queries.lock_target(tx, *target)
            values["case_id"] = await self._case_of(tx, target)
            report_id = await queries.insert_report(tx, values)
            if report_id is None:
                known = await queries.report_in_case(tx, values["case_id"], principal.user_id)
                return for_reporter(_present(known)), False
            report = _present(await queries.report_by_id(tx, report_id))
            await self._record(tx, principal, "report.filed", report, {})
            await self._tell(tx, told, QUEUE, ReportFiled(report))
        await self._publish(told)
        return report, True

    async def decide_report(
        self, principal: Principal, report_id: int, form: DecideReport, version: int | None
    ) -> Report:
        """Resolve, reject, or take a decision back; of two moderators at once exactly one succeeds.

        Raises Forbidden, PreconditionRequired without a version, NotFound, ReportAlreadyDecided or
        PreconditionFailed for an old version, ReportFiledAgain.
        """
        policy.can_moderate(principal)
        if version is None:
            raise PreconditionRequired
        told: Told = []
        async with self._db.transaction() as tx:
            if not await queries.lock_target_of(tx, report_id):
                raise NotFound
            before = _present(await queries.report_by_id(tx, report_id))
            policy.can_decide_report(principal, before)
            if before.version != version:
                raise stale(before)
            if before.status is form.status:
                return before
            report = await self._change(tx, principal, before, form.status)
            await self._tell_decision(tx, told, report)
        await self._publish(told)
        return report

    async def personal_data(self, user_id: int) -> Sections:
        """What a person filed and decided."""
        return await queries.personal_rows(self._db, user_id)

    async def forget(self, tx: Connection, user_id: int) -> Afterwards:
        """Reports and decisions stay, for they are about others: their author loses the name. Of
        what was reported of this person the number stays, and not the words."""
        await queries.unname(tx, user_id)
        return nothing_afterwards

    async def visible_report(self, principal: Principal, report_id: int) -> Report:
        """One report: any for moderators, their own for others. Raises NotFound."""
        report = await queries.report_by_id(self._db, report_id)
        if report is None or not policy.may_see_report(principal, report):
            raise NotFound
        return report if principal.is_staff else for_reporter(report)

    async def list_reports(
        self, principal: Principal, wanted: ReportQuery, page: PageRequest
    ) -> Page[Report]:
        """Reports of everybody, newest first. Raises Forbidden, InvalidInput."""
        policy.can_moderate(principal)
        return Page(*await queries.list_reports(self._db, wanted, page))

    async def my_reports(self, principal: Principal, page: PageRequest) -> Page[Report]:
        """What this person has reported, newest first. Raises InvalidInput."""
        wanted = ReportQuery(user_id=principal.user_id)
        reports, after = await queries.list_reports(self._db, wanted, page)
        return Page([for_reporter(report) for report in reports], after)

    async def queue_snapshot(self) -> Snapshot:
        """The queue and the log position that it already contains, read as of one moment."""
        await self._log.head(QUEUE)  # opens the channel: a read-only transaction could not
        async with self._db.transaction() as tx:
            await queries.freeze_snapshot(tx)
            position = await self._log.head_within(tx, QUEUE)
            state = QueueState(
                await queries.pending_reports(tx, QUEUE_SHOWN), await queries.count_pending(tx)
            )
        return Snapshot(
            data=msgspec.json.encode(state), offset=position.offset, epoch=position.epoch
        )

    # --- shared steps

    async def _checked(self, principal: Principal, form: FileReport) -> dict[str, Any]:
        resolve = self._targets.get(form.target_type)
        if resolve is None:
            raise UnknownTargetType
        reason = tidy(form.reason)
        if not 1 <= len(reason) <= REASON_MAX:  # normalising may change the length
            raise _invalid("reason", f"1 to {REASON_MAX} characters")
        if form.extra is not None and len(msgspec.json.encode(form.extra)) > EXTRA_MAX_BYTES:
            raise _invalid("extra", f"at most {EXTRA_MAX_BYTES} bytes as JSON")
        target = await resolve(principal, form.target_id)
        return {
            "user_id": principal.user_id,
            "target_type": form.target_type,
            "target_id": form.target_id,
            "target_title": target.title,
            "target_url": target.url,
            "reason": reason,
            "extra": form.extra,
        }

    async def _case_of(self, tx: Connection, target: tuple[str, int]) -> str:
        case_id = await queries.open_case(tx, target)
        if case_id is None:
            case_id = new_id()
            await queries.insert_case(tx, case_id, target, now())
        return case_id

    async def _change(
        self, tx: Connection, principal: Principal, before: Report, status: ReportStatus
    ) -> Report:
        takes_back = status is ReportStatus.PENDING
        if takes_back:
            await self._take_up_again(tx, before)
        decided_by = None if takes_back else principal.user_id
        if not await queries.set_status(tx, before, status, decided_by, now()):
            raise stale(_present(await queries.report_by_id(tx, before.id)))
        await queries.close_settled_case(tx, before.case_id, now())
        action = "report.reopened" if takes_back else "report.decided"
        detail = {"from": before.status, "to": status}
        await self._record(tx, principal, action, before, detail)
        return _present(await queries.report_by_id(tx, before.id))

    async def _take_up_again(self, tx: Connection, report: Report) -> None:
        """A pending report needs an open case: the target's present one, or its own again."""
        current = await queries.open_case(tx, (report.target_type.value, report.target_id))
        if current is None:
            await queries.reopen_case(tx, report.case_id)
        elif not await queries.move_to_case(tx, report.id, current):
            raise ReportFiledAgain

    async def _record(
        self,
        tx: Connection,
        principal: Principal,
        action: str,
        report: Report,
        detail: dict[str, Any],
    ) -> None:
        about = {"target_type": report.target_type, "target_id": report.target_id}
        await self._audit.record(
            tx,
            actor=principal,
            action=action,
            target_type="report",
            target_id=report.id,
            detail={**about, **detail},
        )

    async def _tell_decision(self, tx: Connection, told: Told, report: Report) -> None:
        await self._tell(tx, told, QUEUE, ReportUpdated(report))
        own = for_reporter(report)
        is_open = report.status is ReportStatus.PENDING
        event = ReportReopened(own) if is_open else ReportDecided(own)
        await self._tell(tx, told, f"user:{report.user_id}", event)

    async def _tell(self, tx: Connection, told: Told, channel: str, event: Struct) -> None:
        data = msgspec.json.encode(event)
        position = await self._log.append(tx, channel, data)
        told.append((channel, Publication(data=data, offset=position.offset)))

    async def _publish(self, told: Told) -> None:
        for channel, publication in told:
            await self._publish_log(channel, publication)


def for_reporter(report: Report) -> Report:
    """The report without the name of whoever decided it: its reporter may be angry."""
    return msgspec.structs.replace(report, decided_by=None, decider=None)


def stale(current: Report) -> ReportAlreadyDecided | PreconditionFailed:
    """The refusal of a decision made on an older version, with what happened meanwhile."""
    extra = {"current_version": current.version, "report": current}
    if current.status is ReportStatus.PENDING:
        return PreconditionFailed("The report has changed since you read it", **extra)
    who = current.decider.name if current.decider and current.decider.name else "Somebody"
    return ReportAlreadyDecided(f"{who} has {current.status} it meanwhile", **extra)


def _present(report: Report | None) -> Report:
    if report is None:
        raise AssertionError("a report is never deleted")
    return report


def _invalid(field: str, message: str) -> InvalidInput:
    return InvalidInput(errors=[FieldError(field, message)])
