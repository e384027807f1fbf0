"""Every error and close code of the wire, with its retry meaning, in one table.

The numbers are those of the Centrifuge client protocol, so that any of its clients knows them.
Errors answer one command; disconnects end the connection; unsubscribe codes end one subscription.
"""

from typing import NamedTuple


class RealtimeError(Exception):
    """A command's refusal as the client sees it; `temporary`: the same may succeed later."""

    def __init__(self, code: int, message: str, *, temporary: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.temporary = temporary


class InvalidToken(Exception):
    """Raised by `verify_token` for a token that will never be accepted: closes with 3500."""


class TokenExpired(Exception):
    """Raised by `verify_token` for a token past its time: error 109, the client fetches another."""


class BrokerUnavailable(Exception):
    """The broker cannot be reached now; nothing that was acknowledged is lost by it."""


class ErrorCode(NamedTuple):
    """One row of the error table."""

    code: int
    message: str
    temporary: bool = False

    def error(self) -> RealtimeError:
        """Build the exception that carries this row."""
        return RealtimeError(self.code, self.message, temporary=self.temporary)


INTERNAL = ErrorCode(100, "internal server error", temporary=True)
UNAUTHORIZED = ErrorCode(101, "unauthorized")
UNKNOWN_CHANNEL = ErrorCode(102, "unknown channel")
PERMISSION_DENIED = ErrorCode(103, "permission denied")
METHOD_NOT_FOUND = ErrorCode(104, "method not found")
ALREADY_SUBSCRIBED = ErrorCode(105, "already subscribed")
LIMIT_EXCEEDED = ErrorCode(106, "limit exceeded")
BAD_REQUEST = ErrorCode(107, "bad request")
NOT_AVAILABLE = ErrorCode(108, "not available")
TOKEN_EXPIRED = ErrorCode(109, "token expired")
TOO_MANY_REQUESTS = ErrorCode(111, "too many requests", temporary=True)
UNRECOVERABLE_POSITION = ErrorCode(112, "unrecoverable position")

ERRORS: tuple[ErrorCode, ...] = (
    INTERNAL,
    UNAUTHORIZED,
    UNKNOWN_CHANNEL,
    PERMISSION_DENIED,
    METHOD_NOT_FOUND,
    ALREADY_SUBSCRIBED,
    LIMIT_EXCEEDED,
    BAD_REQUEST,
    NOT_AVAILABLE,
    TOKEN_EXPIRED,
    TOO_MANY_REQUESTS,
    UNRECOVERABLE_POSITION,
)


class Disconnect(NamedTuple):
    """A close code and its reason; the number's range alone says whether to come back."""

    code: int
    reason: str

    @property
    def reconnect(self) -> bool:
        """3000-3499 and 4000-4499: come back with backoff; everything above: stop."""
        return self.code % 1000 < 500  # noqa: PLR2004  the protocol's own border


CONNECTION_CLOSED = Disconnect(3000, "connection closed")
SHUTDOWN = Disconnect(3001, "shutdown")
SERVER_ERROR = Disconnect(3004, "internal server error")
EXPIRED = Disconnect(3005, "connection expired")
SLOW = Disconnect(3008, "slow")
WRITE_ERROR = Disconnect(3009, "write error")
STATE_LOST = Disconnect(3010, "insufficient state")
FORCED_RECONNECT = Disconnect(3011, "force reconnect")
NO_PONG = Disconnect(3012, "no pong")
FLOOD = Disconnect(3013, "too many requests")
INVALID_TOKEN = Disconnect(3500, "invalid token")
MALFORMED = Disconnect(3501, "bad request")
STALE = Disconnect(3502, "stale")
FORCED = Disconnect(3503, "force disconnect")
CONNECTION_LIMIT = Disconnect(3504, "connection limit")
DENIED = Disconnect(3507, "permission denied")

DISCONNECTS: tuple[Disconnect, ...] = (
    CONNECTION_CLOSED,
    SHUTDOWN,
    SERVER_ERROR,
    EXPIRED,
    SLOW,
    WRITE_ERROR,
    STATE_LOST,
    FORCED_RECONNECT,
    NO_PONG,
    FLOOD,
    INVALID_TOKEN,
    MALFORMED,
    STALE,
    FORCED,
    CONNECTION_LIMIT,
    DENIED,
)


class Unsubscribed(NamedTuple):
    """A subscription ended by the server; the code's range alone says whether to come back."""

    code: int
    reason: str

    @property
    def resubscribe(self) -> bool:
        """2500-2999: subscribe again and recover; 2000-2499: stay away."""
        return self.code % 1000 >= 500  # noqa: PLR2004  the protocol's own border


UNSUBSCRIBED_BY_SERVER = Unsubscribed(2000, "server unsubscribe")
INSUFFICIENT_STATE = Unsubscribed(2500, "insufficient state")
SUBSCRIPTION_OVER = Unsubscribed(2501, "subscription expired")

UNSUBSCRIBES: tuple[Unsubscribed, ...] = (
    UNSUBSCRIBED_BY_SERVER,
    INSUFFICIENT_STATE,
    SUBSCRIPTION_OVER,
)
