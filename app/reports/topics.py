"""`moderation:queue` (log): every report that is filed or decided, for moderators and admins."""

from app.http.channel_docs import ChannelDoc
from app.kit.principal import Principal
from app.reports import policy
from app.reports.schemas import (
    QueueState,
    ReportDecided,
    ReportFiled,
    ReportReopened,
    ReportUpdated,
)
from app.reports.service import QUEUE, Reports
from realtime import ChannelFamily, Delivery, Identity, Snapshot

CHANNEL_DOCS = [
    ChannelDoc(
        address=QUEUE,
        delivery=Delivery.LOG,
        summary="Every report that is filed or decided. Presence shows who else is looking.",
        access="moderators and admins",
        events=ReportFiled | ReportUpdated,
        snapshot=QueueState,
    )
]
OWN_EVENTS = ReportDecided | ReportReopened
"""What this room tells the reporter on `user:<id>`."""


async def authorize_queue(identity: Identity, _channel: str) -> None:
    """Staff only. Raises Unauthorized, Forbidden."""
    who = identity.context
    policy.can_moderate(who if isinstance(who, Principal) else None)


def families(reports: Reports) -> list[ChannelFamily]:
    """The channels of this room."""

    async def snapshot(_identity: Identity, _channel: str) -> Snapshot:
        return await reports.queue_snapshot()

    return [
        ChannelFamily(
            pattern=QUEUE,
            delivery=Delivery.LOG,
            authorize=authorize_queue,
            snapshot=snapshot,
            presence=True,
            join_leave=True,
        )
    ]
