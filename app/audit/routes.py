"""REST of the audit log, for admins."""

from litestar import Controller, get
from litestar.di import NamedDependency

from app.audit.schemas import AuditEntry, AuditQuery, ChainState
from app.audit.service import Audit
from app.http.params import (
    Limit,
    OptionalCursor,
    OptionalId,
    OptionalMoment,
    OptionalText,
    OptionalWord,
)
from app.kit.paging import DEFAULT_PAGE, Page
from app.kit.principal import Principal


class AuditController(Controller):
    """`/audit`"""

    path = "/audit"
    tags = ("audit",)

    @get(operation_id="listAudit", summary="What was done, newest first")
    async def list_audit(
        self,
        principal: NamedDependency[Principal],
        audit: NamedDependency[Audit],
        q: OptionalText = None,
        actor_id: OptionalId = None,
        action: OptionalWord = None,
        target_type: OptionalWord = None,
        target_id: OptionalWord = None,
        since: OptionalMoment = None,
        until: OptionalMoment = None,
        limit: Limit = DEFAULT_PAGE,
        cursor: OptionalCursor = None,
    ) -> Page[AuditEntry]:
        """Entries that fit every given filter; `actor_id` also finds deeds in others' names."""
        wanted = AuditQuery(q, actor_id, action, target_type, target_id, since, until)
        return await audit.list_entries(principal, wanted, limit=limit, cursor=cursor)

    @get("/chain", operation_id="verifyAudit", summary="Check the whole chain")
    async def verify_audit(
        self, principal: NamedDependency[Principal], audit: NamedDependency[Audit]
    ) -> ChainState:
        """Whether any entry was changed, removed or put in between."""
        return await audit.check_chain(principal)


routes = [AuditController]
