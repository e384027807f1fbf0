"""REST of the audit log, for admins."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from msgspec import Meta

from app.audit.schemas import AuditEntry, AuditQuery, ChainState
from app.audit.service import Audit
from app.kit.ids import EntityId
from app.kit.paging import DEFAULT_PAGE, CursorText, Page, PageLimit
from app.kit.principal import Principal

Word = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]


class AuditController(Controller):
    """`/audit`"""

    path = "/audit"
    tags = ("audit",)

    @get(operation_id="listAudit", summary="What was done, newest first")
    async def list_audit(
        self,
        principal: NamedDependency[Principal],
        audit: NamedDependency[Audit],
        actor_id: FromQuery[EntityId | None] = None,
        action: FromQuery[Word | None] = None,
        target_type: FromQuery[Word | None] = None,
        target_id: FromQuery[Word | None] = None,
        limit: FromQuery[PageLimit] = DEFAULT_PAGE,
        cursor: FromQuery[CursorText | None] = None,
    ) -> Page[AuditEntry]:
        """Entries that fit every given filter."""
        wanted = AuditQuery(actor_id, action, target_type, target_id)
        return await audit.list_entries(principal, wanted, limit=limit, cursor=cursor)

    @get("/chain", operation_id="verifyAudit", summary="Check the whole chain")
    async def verify_audit(
        self, principal: NamedDependency[Principal], audit: NamedDependency[Audit]
    ) -> ChainState:
        """Whether any entry was changed, removed or put in between."""
        return await audit.check_chain(principal)


routes = [AuditController]
