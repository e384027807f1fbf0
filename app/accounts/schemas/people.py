"""What goes in and out of accounts: people, their doors and their sessions."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from app.kit.language import Language
from app.kit.place import Place
from app.kit.principal import Role
from app.kit.text import Line

Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=254,
        pattern=r"^[^\s@\x00-\x1f\x7f]+@[^\s@.\x00-\x1f\x7f]+(\.[^\s@.\x00-\x1f\x7f]+)+$",
        examples=["learner@example.org"],
    ),
]
"""At most 254 characters (RFC 5321, 4.5.3.1.3); whether it exists, only mail can tell."""

NewPassword = Annotated[str, Meta(min_length=8, max_length=1024, examples=["sicerdas-demo"])]
"""No rules of composition (ASVS 5.0, 6.2); the upper end bounds the cost of hashing."""


class SignUp(Struct, frozen=True, forbid_unknown_fields=True):
    """A new account."""

    email: Email
    password: NewPassword
    name: Line | None = None


class LogIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Sign-in; `bearer` answers the token in the body and sets no cookie."""

    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=1024)]
    transport: Literal["cookie", "bearer"] = "cookie"


class ChangePassword(Struct, frozen=True, forbid_unknown_fields=True):
    """Another password; every session ends but the one that asks, which gets a new token."""

    current_password: Annotated[str, Meta(max_length=1024)]
    new_password: NewPassword


class UpdateMe(Struct, frozen=True, forbid_unknown_fields=True):
    """Changes to one's own profile; an absent field stays."""

    name: Line | UnsetType | None = UNSET


class User(Struct, frozen=True):
    """An account as its owner and the admins see it."""

    id: int
    email: str
    name: str | None
    role: Role
    status: Literal["active", "deactivated"]
    email_verified: bool
    created_at: datetime
    updated_at: datetime
    version: int


class SessionView(Struct, frozen=True):
    """A sign-in as its owner sees it; `device` is empty when the browser did not say.

    `by_admin`: an admin is here in the owner's name, and may be sent away like any other.
    """

    id: str
    created_at: datetime
    last_seen_at: datetime
    device: str
    address: str
    place: Place
    is_current: bool
    by_admin: bool


class Visitor(Struct, frozen=True):
    """Who asks; null when nobody is signed in. `impersonator_id` is the admin in their name.

    `owes_second_factor`: the rights of the role rest until this session has given one.
    """

    user: User | None
    impersonator_id: int | None = None
    owes_second_factor: bool = False


class SessionsEnded(Struct, frozen=True):
    """How many sign-ins have ended."""

    ended: int


class NoContentYet(Struct, frozen=True):
    """`{}`: nothing tells whether the address was free."""


class RealtimeToken(Struct, frozen=True):
    """A token for one `connect` of the realtime protocol, valid for `expires_in` seconds."""

    token: str
    expires_in: int


class Client(Struct, frozen=True):
    """Where a sign-in comes from, as far as the request tells."""

    user_agent: str = ""
    address: str = ""
    language: Language = "en"


def user_channel(user_id: int) -> str:
    """The channel of one person's own events."""
    return f"user:{user_id}"


class UserChanged(Struct, frozen=True, tag="user.changed", tag_field="type"):
    """Event on `user:<id>`: the profile or the role is another now."""

    user: User
