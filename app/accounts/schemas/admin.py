"""What admins see of people and send about them, and what can go wrong."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from app.accounts.schemas.keys import Moment
from app.kit.errors import Conflict, Forbidden
from app.kit.principal import Role
from app.kit.text import NO_NUL

Reason = Annotated[str, Meta(max_length=500, pattern=NO_NUL)]


class ManagedUser(Struct, frozen=True):
    """An account as admins see it."""

    id: int
    email: str
    name: str | None
    role: Role
    status: Literal["active", "deactivated"]
    created_at: datetime
    updated_at: datetime
    version: int
    email_verified: bool
    second_factor: bool
    last_sign_in_at: datetime | None
    deactivated_reason: str | None
    deactivated_until: datetime | None


class UserQuery(Struct, frozen=True):
    """Which accounts to list; an absent filter takes all."""

    q: str | None = None
    role: Role | None = None
    status: Literal["active", "deactivated"] | None = None
    verified: bool | None = None
    second_factor: bool | None = None


class SetRole(Struct, frozen=True, forbid_unknown_fields=True):
    """The new role of an account."""

    role: Role


class Deactivate(Struct, frozen=True, forbid_unknown_fields=True):
    """Why an account is closed, and until when; both are told to its owner."""

    reason: Reason = ""
    until: Moment | None = None


class Impersonate(Struct, frozen=True, forbid_unknown_fields=True):
    """Why an admin enters in somebody's name; the person is told."""

    reason: Annotated[
        str, Meta(min_length=3, max_length=500, pattern=NO_NUL, examples=["Ticket 17"])
    ]


class UserImpersonated(Struct, frozen=True, tag="user.impersonated", tag_field="type"):
    """Event on `user:<id>`: an admin is here in this person's name; `session_id` is in their list
    of sessions, where they may end it."""

    session_id: str
    reason: str
    ends_at: datetime


class CannotImpersonate(Forbidden):
    """Nobody enters in the name of an admin or of a closed account."""

    code = "cannot-impersonate"
    title = "Nobody may enter in the name of this person"


class NotImpersonating(Conflict):
    """One is here in one's own name already."""

    code = "not-impersonating"
    title = "You are here in your own name"
