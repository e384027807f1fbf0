"""What goes in and out of reports, the events of the moderation queue, and this room's errors."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

from app.kit.errors import Conflict, Unprocessable
from app.kit.ids import EntityId

REASON_MAX = 2000
EXTRA_MAX_BYTES = 4096

Reason = Annotated[
    str, Meta(min_length=1, max_length=REASON_MAX, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")
]
"""Why, in the reporter's own words."""


class ReportStatus(StrEnum):
    """Where a report stands."""

    PENDING = "pending"
    RESOLVED = "resolved"
    REJECTED = "rejected"


class TargetType(StrEnum):
    """What can be reported."""

    BOOK = "book"
    USER = "user"
    MESSAGE = "message"


class FileReport(Struct, frozen=True, forbid_unknown_fields=True):
    """A report. `extra` is a JSON object of at most 4 KiB that travels with it unread."""

    target_type: Annotated[
        str, Meta(max_length=100, description="book, user or message", examples=["book"])
    ]
    target_id: EntityId
    reason: Reason
    extra: dict[str, Any] | None = None


class DecideReport(Struct, frozen=True, forbid_unknown_fields=True):
    """A decision; `pending` takes one back."""

    status: ReportStatus


class Person(Struct, frozen=True):
    """A person's id and name, as far as the queue shows them."""

    id: int
    name: str | None


class Target(Struct, frozen=True):
    """What the target was called when it was reported, and its page where it has one."""

    title: str
    url: str | None


class Report(Struct, frozen=True):
    """A report. Its reporter is not told who decided: for them `decided_by` is null."""

    id: int
    user_id: int
    case_id: str
    target_type: TargetType
    target_id: int
    reason: str
    extra: dict[str, Any] | None
    status: ReportStatus
    version: int
    created_at: datetime
    updated_at: datetime
    decided_by: int | None
    decided_at: datetime | None
    target: Target
    reporter: Person
    decider: Person | None


class ReportQuery(Struct, frozen=True):
    """Which reports to list; an absent filter takes all."""

    q: str | None = None
    status: ReportStatus | None = None
    target_type: TargetType | None = None
    target_id: int | None = None
    user_id: int | None = None


class QueueState(Struct, frozen=True):
    """Subscribe data of `moderation:queue`: the newest pending reports and how many there are."""

    reports: list[Report]
    pending: int


class ReportFiled(Struct, frozen=True, tag="report.filed", tag_field="type"):
    """Event on `moderation:queue`: somebody reported something."""

    report: Report


class ReportUpdated(Struct, frozen=True, tag="report.updated", tag_field="type"):
    """Event on `moderation:queue`: a report was decided, or its decision was taken back."""

    report: Report


class ReportDecided(Struct, frozen=True, tag="report.decided", tag_field="type"):
    """Event on `user:<id>`: what became of one's report."""

    report: Report


class ReportReopened(Struct, frozen=True, tag="report.reopened", tag_field="type"):
    """Event on `user:<id>`: the decision on one's report was taken back."""

    report: Report


class UnknownTargetType(Unprocessable):
    """There is no such kind of thing to report."""

    code = "unknown-target-type"
    title = "Only a book, a user or a message can be reported"


class ReportAlreadyDecided(Conflict):
    """Somebody else decided since this moderator read the report; the extra says who and how."""

    code = "report-already-decided"
    title = "Somebody else has decided this report meanwhile"


class ReportFiledAgain(Conflict):
    """The reporter has filed the same thing anew; the old report stays closed."""

    code = "report-filed-again"
    title = "The reporter has reported this again; decide the newer report"
