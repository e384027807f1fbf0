"""`moderation:queue` (log): every report that is filed or decided, for moderators and admins."""

from app.kit.principal import Principal
from app.reports import policy
from app.reports.service import QUEUE, Reports
from realtime import ChannelFamily, Delivery, Identity, Snapshot


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
