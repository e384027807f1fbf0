"""The channel `book:<id>`: the newest counters of a book, for everybody."""

import msgspec

from app.catalog.schemas import BookNotFound
from app.http.channel_docs import ChannelDoc
from app.interactions.schemas import Counters
from app.interactions.service import Interactions
from app.kit.ids import INT4_MAX
from realtime import ChannelFamily, Delivery, Identity, Snapshot

PATTERN = "book:{id}"
MAX_DIGITS = 10
CHANNEL_DOCS = [
    ChannelDoc(
        address=PATTERN,
        delivery=Delivery.VALUE,
        summary="The counters of one book, absolute; a higher `version` is newer.",
        access="everybody, also without a session",
        events=Counters,
        snapshot=Counters,
        parameters={"id": "The id of the book."},
    )
]


def families(interactions: Interactions) -> list[ChannelFamily]:
    """The one family of this room."""

    async def authorize(identity: Identity, channel: str) -> None:  # noqa: ARG001  # public
        await interactions.counters(book_id_of(channel))

    async def snapshot(identity: Identity, channel: str) -> Snapshot:  # noqa: ARG001  # public
        counters = await interactions.counters(book_id_of(channel))
        return Snapshot(data=msgspec.json.encode(counters), version=counters.version)

    return [ChannelFamily(PATTERN, Delivery.VALUE, authorize, snapshot)]


def book_id_of(channel: str) -> int:
    """The book a channel belongs to. Raises BookNotFound for a name that is no number."""
    digits = channel.partition(":")[2]
    if not (digits.isascii() and digits.isdigit()) or len(digits) > MAX_DIGITS or digits[0] == "0":
        raise BookNotFound
    book_id = int(digits)
    if book_id > INT4_MAX:
        raise BookNotFound
    return book_id
