"""`user:<id>` (log): a person's own events: profile, role, the outcome of their reports."""

from app.accounts.schemas import user_channel
from app.kit.errors import NotFound, Unauthorized
from app.kit.principal import Principal
from realtime import ChannelFamily, Delivery, Identity


async def authorize_own(identity: Identity, channel: str) -> None:
    """Only the person themselves. Raises Unauthorized, NotFound (others' channels do not exist)."""
    if not isinstance(identity.context, Principal):
        raise Unauthorized
    if channel != user_channel(identity.context.user_id):
        raise NotFound


def families() -> list[ChannelFamily]:
    """The channels of this room."""
    return [ChannelFamily(pattern="user:{id}", delivery=Delivery.LOG, authorize=authorize_own)]
