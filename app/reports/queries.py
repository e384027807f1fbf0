"""Named SQL of reports and cases. Indexes: reports_pkey, reports_one_per_reporter_and_case,
reports_status_created, reports_user_created, reports_target, cases_one_open_per_target."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from asyncpg import Record

from app.infra.db import Queryable
from app.infra.listing import Conditions, Listing, PageRequest, SortKey, escape_like, fetch_page
from app.reports.schemas import (
    Person,
    Report,
    ReportQuery,
    ReportStatus,
    Target,
    TargetType,
)

REPORT = """
SELECT r.id, r.user_id, r.case_id, r.target_type, r.target_id, r.target_title, r.target_url,
    r.reason, r.extra, r.status, r.version, r.created_at, r.updated_at, r.decided_by, r.decided_at,
    reporter.name AS reporter_name, decider.name AS decider_name, {sort} AS sort_value
FROM reports r
JOIN users reporter ON reporter.id = r.user_id
LEFT JOIN users decider ON decider.id = r.decided_by
"""
ONE = REPORT.replace("{sort}", "NULL")
LISTING = Listing(
    select=REPORT,
    sorts={
        "created_at": SortKey("r.created_at", datetime),
        "updated_at": SortKey("r.updated_at", datetime),
    },
    default_sort="-created_at",
    id_column="r.id",
)


async def lock_target(db: Queryable, target_type: str, target_id: int) -> None:
    """One transaction at a time for everything reported about one target."""
    await db.execute(
        "SELECT pg_advisory_xact_lock(hashtext('report:' || $1), $2)", target_type, target_id
    )


async def lock_target_of(db: Queryable, report_id: int) -> bool:
    """The same lock, found through a report; False when there is no such report."""
    locked = await db.fetchrow(
        """
        SELECT pg_advisory_xact_lock(hashtext('report:' || target_type), target_id)
        FROM reports WHERE id = $1
        """,
        report_id,
    )
    return locked is not None


async def open_case(db: Queryable, target: tuple[str, int]) -> str | None:
    """The open case of a (locked) target."""
    case_id: str | None = await db.fetchval(
        "SELECT id FROM cases WHERE target_type = $1 AND target_id = $2 AND status = 'open'",
        *target,
    )
    return case_id


async def insert_case(db: Queryable, case_id: str, target: tuple[str, int], at: datetime) -> None:
    """A new open case."""
    await db.execute(
        "INSERT INTO cases (id, target_type, target_id, opened_at) VALUES ($1, $2, $3, $4)",
        case_id,
        *target,
        at,
    )


async def reopen_case(db: Queryable, case_id: str) -> None:
    """Take up a closed case again."""
    await db.execute(
        "UPDATE cases SET status = 'open', closed_at = NULL WHERE id = $1 AND status = 'closed'",
        case_id,
    )


async def close_settled_case(db: Queryable, case_id: str, at: datetime) -> None:
    """Close a case when none of its reports is pending."""
    await db.execute(
        """
        UPDATE cases SET status = 'closed', closed_at = $2
        WHERE id = $1 AND status = 'open'
          AND NOT EXISTS (SELECT FROM reports WHERE case_id = $1 AND status = 'pending')
        """,
        case_id,
        at,
    )


async def insert_report(db: Queryable, values: Mapping[str, Any]) -> int | None:
    """The number of the new report, or None when this reporter has one in this case."""
    columns = ", ".join(values)
    marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    report_id: int | None = await db.fetchval(
        f"""
        INSERT INTO reports ({columns}) VALUES ({marks})
        ON CONFLICT ON CONSTRAINT reports_one_per_reporter_and_case DO NOTHING RETURNING id
        """,
        *values.values(),
    )
    return report_id


async def set_status(
    db: Queryable, report: Report, status: ReportStatus, decided_by: int | None, at: datetime
) -> bool:
    """Decide (`decided_by` set) or take back; False when the version is no longer that one."""
    tag = await db.execute(
        """
        UPDATE reports SET status = $3, decided_by = $4,
            decided_at = CASE WHEN $4::int IS NULL THEN NULL ELSE $5::timestamptz END,
            updated_at = $5, version = version + 1
        WHERE id = $1 AND version = $2
        """,
        report.id,
        report.version,
        status.value,
        decided_by,
        at,
    )
    return tag == "UPDATE 1"


async def move_to_case(db: Queryable, report_id: int, case_id: str) -> bool:
    """Put a report under another case; False when its reporter has a report there already."""
    tag = await db.execute(
        """
        UPDATE reports r SET case_id = $2 WHERE id = $1 AND NOT EXISTS (
            SELECT FROM reports o WHERE o.case_id = $2 AND o.user_id = r.user_id AND o.id <> r.id)
        """,
        report_id,
        case_id,
    )
    return tag == "UPDATE 1"


async def report_by_id(db: Queryable, report_id: int) -> Report | None:
    """One report."""
    row = await db.fetchrow(f"{ONE} WHERE r.id = $1", report_id)
    return as_report(row) if row else None


async def report_in_case(db: Queryable, case_id: str, user_id: int) -> Report | None:
    """What a person filed in a case."""
    row = await db.fetchrow(f"{ONE} WHERE r.case_id = $1 AND r.user_id = $2", case_id, user_id)
    return as_report(row) if row else None


async def pending_reports(db: Queryable, limit: int) -> list[Report]:
    """The newest pending reports."""
    rows = await db.fetch(
        f"{ONE} WHERE r.status = 'pending' ORDER BY r.created_at DESC, r.id DESC LIMIT $1", limit
    )
    return [as_report(row) for row in rows]


async def count_pending(db: Queryable) -> int:
    """How many reports wait for a decision."""
    count: int = await db.fetchval("SELECT count(*) FROM reports WHERE status = 'pending'")
    return count


async def list_reports(
    db: Queryable, wanted: ReportQuery, page: PageRequest
) -> tuple[list[Report], str | None]:
    """One page and the cursor to the next. Raises InvalidInput."""
    where = Conditions()
    where.add("r.status = {}", wanted.status)
    where.add("r.target_type = {}", wanted.target_type)
    where.add("r.target_id = {}", wanted.target_id)
    where.add("r.user_id = {}", wanted.user_id)
    where.add(
        "(r.target_title || ' ' || r.reason) ILIKE '%' || {} || '%'", escape_like(wanted.q or None)
    )
    rows, after = await fetch_page(db, LISTING, where, page)
    return [as_report(row) for row in rows], after


async def freeze_snapshot(db: Queryable) -> None:
    """First statement of a transaction: all of its reads see one moment."""
    await db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def as_report(row: Record) -> Report:
    """A row with its joined names as the struct that travels."""
    decided_by = row["decided_by"]
    return Report(
        id=row["id"],
        user_id=row["user_id"],
        case_id=row["case_id"],
        target_type=TargetType(row["target_type"]),
        target_id=row["target_id"],
        reason=row["reason"],
        extra=row["extra"],
        status=ReportStatus(row["status"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        decided_by=decided_by,
        decided_at=row["decided_at"],
        target=Target(row["target_title"], row["target_url"]),
        reporter=Person(row["user_id"], row["reporter_name"]),
        decider=None if decided_by is None else Person(decided_by, row["decider_name"]),
    )


async def personal_rows(db: Queryable, user_id: int) -> dict[str, list[dict[str, Any]]]:
    """What a person reported, and what they decided."""
    filed = await db.fetch(
        """
        SELECT id, target_type, target_id, reason, extra, status, created_at
        FROM reports WHERE user_id = $1 ORDER BY id
        """,
        user_id,
    )
    decided = await db.fetch(
        "SELECT id, status, decided_at FROM reports WHERE decided_by = $1 ORDER BY id", user_id
    )
    return {
        "reports": [dict(row) for row in filed],
        "decisions": [dict(row) for row in decided],
    }


async def unname(db: Queryable, user_id: int) -> None:
    """Take a person's name and words out of the reports about them, and out of the events that
    told of their reports; reads the whole log, which forgets after a month."""
    rows = await db.fetch(
        """
        UPDATE reports SET target_title = '#' || target_id, target_url = NULL
        WHERE (target_type = 'user' AND target_id = $1)
            OR (target_type = 'message' AND target_id IN (
                SELECT id FROM chat_history WHERE user_id = $1))
        RETURNING id
        """,
        user_id,
    )
    for role in ("reporter", "decider"):
        await db.execute(
            """
            UPDATE channel_log SET data = jsonb_set(data, ARRAY['report', $2, 'name'], 'null')
            WHERE (data -> 'report' -> $2 ->> 'id')::bigint = $1
            """,
            user_id,
            role,
        )
    await db.execute(
        """
        UPDATE channel_log SET data = jsonb_set(data, '{report,target,title}', '""')
        WHERE (data -> 'report' ->> 'id')::bigint = ANY($1::bigint[])
        """,
        [row["id"] for row in rows],
    )
