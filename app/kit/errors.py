"""The one error tree: each class is a stable code, rendered alike by HTTP and by the socket.

AppError
├── BadRequest 400 ── InvalidInput, MalformedJson
├── Unauthorized 401
├── Forbidden 403 ── ForeignOrigin, KeyNotAccepted, ScopeMissing, NotWhileImpersonating,
│                    SecondFactorRequired
├── NotFound 404
├── MethodNotAllowed 405
├── Conflict 409
├── PreconditionFailed 412
├── PayloadTooLarge 413
├── UnsupportedMediaType 415
├── Unprocessable 422
├── PreconditionRequired 428
├── TooManyRequests 429
├── Internal 500
└── Unavailable 503

A feature's own errors subclass these in its `schemas.py`; a code never changes once shipped.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from msgspec import Struct

SOCKET_CODES = {401: 101, 403: 103, 429: 111, 503: 108, 500: 100}
"""HTTP status to the protocol's own error number; any other status travels as itself (from 400 on
the numbers are free for applications)."""


class FieldError(Struct, frozen=True):
    """One refused part of an input: `field` is its path, `message` says what would be right."""

    field: str
    message: str


class AppError(Exception):
    """An expected failure with a stable code; `extra` joins the members of RFC 9457."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.extra = extra

    @property
    def socket_code(self) -> int:
        """The number of this error in a reply of the realtime protocol."""
        return SOCKET_CODES.get(self.status, self.status)

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may succeed later without a change."""
        return self.status in {429, 503}


class BadRequest(AppError):
    """The request cannot be understood."""

    status = 400
    code = "bad-request"
    title = "The request cannot be understood"


class InvalidInput(BadRequest):
    """A value is missing, unknown, of the wrong type or out of range; `errors` names each."""

    code = "invalid-input"
    title = "Some of the input is not valid"

    def __init__(
        self, detail: str | None = None, *, errors: list[FieldError] | None = None
    ) -> None:
        super().__init__(detail)
        if errors:
            self.extra["errors"] = errors


class MalformedJson(BadRequest):
    """The body is not JSON."""

    code = "malformed-json"
    title = "The body is not valid JSON"


class Unauthorized(AppError):
    """Nobody is signed in, or the session has ended."""

    status = 401
    code = "unauthorized"
    title = "Sign in first"


class Forbidden(AppError):
    """The signed-in person may not do this."""

    status = 403
    code = "forbidden"
    title = "You may not do this"


class ForeignOrigin(Forbidden):
    """A cookie request with an unsafe method came from another site (OWASP ASVS 5.0, 3.5.1)."""

    code = "foreign-origin"
    title = "This request came from another site"


class SecondFactorRequired(Forbidden):
    """The rights of this person's role rest until they sign in with a second factor."""

    code = "second-factor-required"
    title = "Your role needs two-step sign-in"


class KeyNotAccepted(Forbidden):
    """An API key where only a signed-in person is let in."""

    code = "api-key-not-accepted"
    title = "API keys are not accepted here; sign in"


class ScopeMissing(Forbidden):
    """The API key was made for other things; `scope` is the one that this needs."""

    code = "scope-missing"
    title = "This API key was not made for that"


class NotWhileImpersonating(Forbidden):
    """An admin in somebody's name may not do what is that person's own affair."""

    code = "not-while-impersonating"
    title = "An admin may not do this in somebody's name"


class NotFound(AppError):
    """Absent, or hidden from this person: both look the same."""

    status = 404
    code = "not-found"
    title = "There is no such thing here"


class MethodNotAllowed(AppError):
    """The address exists, the method does not."""

    status = 405
    code = "method-not-allowed"
    title = "This address does not support that method"


class Conflict(AppError):
    """The request contradicts the present state."""

    status = 409
    code = "conflict"
    title = "The request contradicts the present state"


class PreconditionFailed(AppError):
    """`If-Match` named an older version (RFC 9110, 13.1.1)."""

    status = 412
    code = "precondition-failed"
    title = "It has changed since you read it"


class PayloadTooLarge(AppError):
    """The body is over the limit."""

    status = 413
    code = "payload-too-large"
    title = "The body is too large"


class UnsupportedMediaType(AppError):
    """The body is of a kind that this address does not take."""

    status = 415
    code = "unsupported-media-type"
    title = "This kind of body is not accepted here"


class Unprocessable(AppError):
    """Well-formed, but not possible here."""

    status = 422
    code = "unprocessable"
    title = "The request is well-formed but not possible"


class PreconditionRequired(AppError):
    """A decision must name the version it was made on (RFC 6585, 3)."""

    status = 428
    code = "precondition-required"
    title = "Send If-Match with the version you saw"


class TooManyRequests(AppError):
    """A limit was reached; `retry_after` says when to come back, in seconds, and `policy`, `limit`
    and `window` which limit it was."""

    status = 429
    code = "too-many-requests"
    title = "Too many requests"


class Internal(AppError):
    """Our fault; the details are in the log under the request's id."""


class Unavailable(AppError):
    """Something behind the app is away; nothing was changed unless the text says so."""

    status = 503
    code = "unavailable"
    title = "A part of the service is away right now"


def error_classes(base: type[AppError] = AppError) -> Iterator[type[AppError]]:
    """Every error class that has been imported, parents first."""
    yield base
    for child in base.__subclasses__():
        yield from error_classes(child)
