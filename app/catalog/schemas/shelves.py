"""Categories and groups, in and out."""

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from app.catalog.schemas.books import Prose
from app.kit.ids import EntityId
from app.kit.text import Line


class CreateCategory(Struct, frozen=True, forbid_unknown_fields=True):
    """A new broad topic."""

    name: Line
    description: Prose | None = None


class UpdateCategory(Struct, frozen=True, forbid_unknown_fields=True):
    """Changes to a category; an absent field stays as it is."""

    name: Line | UnsetType = UNSET
    description: Prose | UnsetType | None = UNSET


class Category(Struct, frozen=True):
    """A broad topic."""

    id: int
    name: str
    description: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class CreateGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """A new part of a category."""

    name: Line
    category_id: EntityId


class UpdateGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """Changes to a group; when it moves to another category its books move with it."""

    name: Line | UnsetType = UNSET
    category_id: EntityId | UnsetType = UNSET


class Group(Struct, frozen=True):
    """A part of a category."""

    id: int
    name: str
    category_id: int
    version: int
    created_at: datetime
    updated_at: datetime


class ShelfQuery(Struct, frozen=True):
    """Which categories or groups a list shall hold; only groups have a `category_id`."""

    q: str | None = None
    sort: str | None = None
    name: str | None = None
    category_id: int | None = None
    limit: int = 20
    cursor: str | None = None
