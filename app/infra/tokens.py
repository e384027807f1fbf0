"""Short-lived signed tokens for the realtime connection (JWT, RFC 7519, HS256)."""

from datetime import timedelta

import jwt
from msgspec import Struct

from app.kit.clock import now
from realtime import InvalidToken, TokenExpired

AUDIENCE = "realtime"
ALGORITHM = "HS256"


class RealtimeClaims(Struct, frozen=True):
    """Who connects and in which session; `expires_at` in seconds since the epoch."""

    user_id: int
    session_id: str
    expires_at: int


class RealtimeTokens:
    """Signs and reads the tokens of `/realtime/token`."""

    def __init__(self, secret: str, *, lifetime_s: int) -> None:
        self._secret = secret
        self._lifetime = timedelta(seconds=lifetime_s)

    def sign(self, user_id: int, session_id: str) -> str:
        """A token for one connect; it names the session, so that a logout reaches its sockets."""
        claims = {
            "sub": str(user_id),
            "sid": session_id,
            "aud": AUDIENCE,
            "exp": now() + self._lifetime,
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def read(self, token: str) -> RealtimeClaims:
        """The claims. Raises TokenExpired, InvalidToken when it is foreign or altered."""
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                options={"require": ["exp", "sub", "sid"]},
            )
            return RealtimeClaims(int(claims["sub"]), str(claims["sid"]), int(claims["exp"]))
        except jwt.ExpiredSignatureError as fault:
            raise TokenExpired from fault
        except (jwt.InvalidTokenError, ValueError) as fault:
            raise InvalidToken from fault
