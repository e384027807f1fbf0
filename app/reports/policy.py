"""Who may see and decide reports."""

from app.kit.errors import Forbidden, Unauthorized
from app.kit.principal import Principal, refusal
from app.reports.schemas import Report, TargetType


def can_moderate(principal: Principal | None) -> None:
    """Moderators and admins. Raises as `refusal`, Unauthorized."""
    if principal is None:
        raise Unauthorized
    if not principal.is_staff:
        raise refusal(principal, "Only moderators see the reports of others")


def may_see_report(principal: Principal, report: Report) -> bool:
    """Moderators, admins, and whoever filed it."""
    return principal.is_staff or report.user_id == principal.user_id


def can_decide_report(principal: Principal, report: Report) -> None:
    """A moderator who is no party to it; an admin in any case. Raises Unauthorized, Forbidden."""
    can_moderate(principal)
    is_about_them = report.target_type is TargetType.USER and report.target_id == principal.user_id
    if not principal.is_admin and (is_about_them or report.user_id == principal.user_id):
        raise Forbidden("Somebody else must decide a report that you filed or that is about you")
