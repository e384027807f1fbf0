"""What goes in and out of interactions."""

from typing import Literal

from msgspec import Struct

from app.catalog.schemas import Book, Counters, Totals
from app.kit.ids import EntityId

InteractionType = Literal["view", "download", "like", "unlike"]

__all__ = ["BookStats", "Counters", "InteractionType", "LibraryStats", "RecordInteraction"]


class RecordInteraction(Struct, frozen=True, forbid_unknown_fields=True):
    """What the signed-in person did with a book. Repeating it changes nothing."""

    book_id: EntityId
    type: InteractionType


BookStats = Counters
"""The stats of one book are its counters."""


class LibraryStats(Struct, frozen=True):
    """The whole library at a glance, for those who manage it."""

    totals: Totals
    most_viewed: list[Book]
    most_liked: list[Book]
