"""REST of reports: parse, call one verb, answer."""

from typing import Any

from litestar import Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromQuery, JSONBody

from app.http.etag import IF_MATCH_REQUIRED, conditional, created, if_match, versioned
from app.http.params import Limit, OptionalCursor, OptionalId, OptionalText, PathId
from app.http.reach import for_keys
from app.infra.listing import PageRequest
from app.kit.paging import DEFAULT_PAGE, Page
from app.kit.principal import Principal, Scope
from app.reports.schemas import (
    DecideReport,
    FileReport,
    Report,
    ReportQuery,
    ReportStatus,
    TargetType,
)
from app.reports.service import Reports

AnyRequest = Request[Any, Any, Any]
WRITE = for_keys(Scope.REPORTS_WRITE)
READ = for_keys(Scope.REPORTS_READ)
DECIDE = for_keys(Scope.REPORTS_DECIDE)


@post(
    "/reports",
    operation_id="fileReport",
    opt=WRITE,
    responses={200: ResponseSpec(Report, description="Reported before, and still looked at")},
)
async def file_report(
    data: JSONBody[FileReport],
    principal: NamedDependency[Principal],
    reports: NamedDependency[Reports],
) -> Response[Report]:
    """Report a book, a person or a message. Reporting it again while it is being looked at answers
    the first report with 200."""
    report, is_new = await reports.file_report(principal, data)
    return created(report, report.version, f"/api/v1/reports/{report.id}", is_new=is_new)


@get("/reports", operation_id="listReports", opt=READ)
async def list_reports(
    principal: NamedDependency[Principal],
    reports: NamedDependency[Reports],
    q: OptionalText = None,
    status: FromQuery[ReportStatus | None] = None,
    target_type: FromQuery[TargetType | None] = None,
    target_id: OptionalId = None,
    user_id: OptionalId = None,
    sort: OptionalText = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: OptionalCursor = None,
) -> Page[Report]:
    """Everybody's reports, for moderators and admins."""
    wanted = ReportQuery(q, status, target_type, target_id, user_id)
    return await reports.list_reports(principal, wanted, PageRequest(sort, limit, cursor))


@get("/reports/mine", operation_id="listMyReports", opt=READ)
async def list_my_reports(
    principal: NamedDependency[Principal],
    reports: NamedDependency[Reports],
    sort: OptionalText = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: OptionalCursor = None,
) -> Page[Report]:
    """One's own reports and what became of them."""
    return await reports.my_reports(principal, PageRequest(sort, limit, cursor))


@get("/reports/{report_id:int}", operation_id="getReport", opt=READ)
async def get_report(
    report_id: PathId,
    principal: NamedDependency[Principal],
    request: AnyRequest,
    reports: NamedDependency[Reports],
) -> Response[Report]:
    """One report: any for moderators and admins, otherwise one's own."""
    report = await reports.visible_report(principal, report_id)
    return conditional(request.scope, report, report.version)


@put(
    "/reports/{report_id:int}", operation_id="decideReport", opt=DECIDE, responses=IF_MATCH_REQUIRED
)
async def decide_report(
    report_id: PathId,
    data: JSONBody[DecideReport],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    reports: NamedDependency[Reports],
) -> Response[Report]:
    """Resolve or reject a report, or make it pending again. `If-Match` names the version that was
    decided on and is required."""
    report = await reports.decide_report(principal, report_id, data, if_match(request.scope))
    return versioned(report, report.version)


routes = [file_report, list_reports, list_my_reports, get_report, decide_report]
