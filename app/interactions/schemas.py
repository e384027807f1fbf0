"""What goes in and out of interactions."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from app.catalog.schemas import Book, Counters
from app.kit.ids import EntityId

InteractionType = Literal["view", "download", "like", "unlike"]

__all__ = ["Counters", "InteractionType", "RecordInteraction", "Stats"]


class RecordInteraction(Struct, frozen=True, forbid_unknown_fields=True):
    """What the signed-in person did with a book. Repeating it changes nothing."""

    book_id: EntityId
    type: InteractionType


class Stats(Struct, frozen=True):
    """The counts of one book, or (without `book_id`) of the whole library and its top books."""

    views: int
    downloads: int
    likes: int
    book_id: int | UnsetType = UNSET
    version: int | UnsetType = UNSET
    books: int | UnsetType = UNSET
    most_viewed: list[Book] | UnsetType = UNSET
    most_liked: list[Book] | UnsetType = UNSET
