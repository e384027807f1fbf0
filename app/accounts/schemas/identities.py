"""What goes in and out when another provider vouches for somebody, and what can go wrong then."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from app.accounts.schemas.factors import Admission
from app.kit.errors import AppError, BadRequest, Conflict, Forbidden, Unavailable

OwnPath = Annotated[
    str,
    Meta(
        max_length=500,
        pattern=r"^/(?![/\\]|[^\n]*\n)[\x21-\x5b\x5d-\x7e]*$",
        examples=["/account"],
    ),
]
"""A path of our own pages, percent-encoded: no host can stand in it, and no white space or
backslash that a browser would turn into the beginning of one. `$` alone lets a line end pass."""


class StartSignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to go on after the sign-in: a path of the application's own pages."""

    next: OwnPath = "/"


class ProviderView(Struct, frozen=True):
    """A provider that people may sign in with; `slug` stands in addresses, `name` on buttons."""

    slug: str
    name: str


class Departure(Struct, frozen=True):
    """Where the browser goes now; what it brings back counts in this browser only."""

    url: str


class IdentityView(Struct, frozen=True):
    """An account at another provider that lets its owner in here."""

    id: str
    provider: str
    provider_name: str
    email: str | None
    created_at: datetime
    last_used_at: datetime


class Callback(Struct, frozen=True):
    """What a provider sends the browser back with (RFC 6749, 4.1.2; RFC 9207)."""

    state: str | None = None
    code: str | None = None
    error: str | None = None
    iss: str | None = None


class Arrival(Struct, frozen=True):
    """Where the browser that came back goes on, and who came in by it."""

    path: str
    admission: Admission | None = None


class ProviderAway(Unavailable):
    """The provider did not answer in time, or failed."""

    code = "provider-unavailable"
    title = "The sign-in service does not answer right now; try again, or sign in another way"


class ProviderFailed(AppError):
    """The provider refused to go on, or said something that cannot be believed."""

    status = 502
    code = "provider-failed"
    title = "The sign-in service gave an answer that cannot be used; start again"


class SignInCancelled(BadRequest):
    """The person said no at the provider."""

    code = "sign-in-cancelled"
    title = "The sign-in was cancelled"


class StaleSignIn(BadRequest):
    """The journey is unknown: finished, too old, or never begun here."""

    code = "stale-sign-in"
    title = "This sign-in has expired or was already used; start again"


class ForeignSignIn(BadRequest):
    """The journey began in another browser, or in another session."""

    code = "foreign-sign-in"
    title = "This sign-in began in another browser or session; start again here"


class ProviderEmailUnverified(Forbidden):
    """The provider does not vouch for an address; nothing tells whether it is known here."""

    code = "provider-email-unverified"
    title = "That service has not confirmed your address. Confirm it there, or sign in another way"


class LinkBySignIn(Forbidden):
    """An account has this address, but never confirmed it: whoever opened it may be another."""

    code = "link-by-sign-in"
    title = "An account has this address already. Sign in to it first, then link it on your account"


class IdentityTaken(Conflict):
    """That account at the provider lets somebody else in."""

    code = "identity-taken"
    title = "It is already linked to another account here"


class LastWayIn(Conflict):
    """Without it nobody could sign in to the account any more."""

    code = "last-way-in"
    title = "This is the only way to sign in to your account; set a password first"
