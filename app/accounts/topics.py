"""`user:<id>` (log): a person's own events: profile, role, the outcome of their reports."""

from app.accounts.schemas import UserChanged, UserImpersonated, user_channel
from app.http.channel_docs import ChannelDoc
from app.kit.errors import NotFound, Unauthorized
from app.kit.principal import Principal
from realtime import ChannelFamily, Delivery, Identity

PATTERN = "user:{id}"
OWN_EVENTS = UserChanged | UserImpersonated
USER_DOC = ChannelDoc(
    address=PATTERN,
    delivery=Delivery.LOG,
    summary="A person's own events: their profile and role, and what became of their reports.",
    access="the person themselves",
    events=OWN_EVENTS,
    parameters={"id": "The id of the signed-in person."},
)


def authorize_own(identity: Identity, channel: str) -> None:
    """Only the person themselves. Raises Unauthorized, NotFound (others' channels do not exist)."""
    if not isinstance(identity.context, Principal):
        raise Unauthorized
    if channel != user_channel(identity.context.user_id):
        raise NotFound


def families() -> list[ChannelFamily]:
    """The channels of this room."""
    return [ChannelFamily(pattern=PATTERN, delivery=Delivery.LOG, authorize=authorize_own)]
