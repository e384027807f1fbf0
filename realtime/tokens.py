"""Verifies the protocol's JWTs, HS256 and RS256: who connects, and to what a token lets subscribe.

Claims as the reference server reads them: `sub`, `exp`, `info`, `channels`; `channel` for a
subscription. Optional: an application may verify its tokens in any other way.
"""

from collections.abc import Mapping
from typing import Any

import jwt
import msgspec

from realtime.codes import InvalidToken, TokenExpired
from realtime.model import Grant, Identity


class JwtVerifier:
    """Checks signature, time and claims with one key per algorithm."""

    def __init__(self, *, hmac_secret: str = "", rsa_public_key: str = "") -> None:
        self._keys = {"HS256": hmac_secret, "RS256": rsa_public_key}

    async def connect(self, token: str) -> Identity:
        """Return who connects. Raises TokenExpired, InvalidToken."""
        claims = self._claims(token)
        if "channel" in claims:
            raise InvalidToken
        info = claims.get("info")
        return Identity(
            user=_text(claims, "sub"),
            session=_text(claims, "sid"),
            expires_at=claims.get("exp"),
            channels=_channels(claims),
            info=b"" if info is None else msgspec.json.encode(info),
        )

    async def subscription(self, token: str, identity: Identity, channel: str) -> Grant:
        """Return what the token grants its user. Raises TokenExpired, InvalidToken."""
        claims = self._claims(token)
        if claims.get("channel") != channel or _text(claims, "sub") != identity.user:
            raise InvalidToken
        return Grant(claims.get("exp"))

    def _claims(self, token: str) -> Mapping[str, Any]:
        """Read the token with the key of its algorithm; one without key is not accepted."""
        try:
            algorithm = jwt.get_unverified_header(token).get("alg", "")
            key = self._keys.get(algorithm, "")
            if not key:
                raise InvalidToken
            options: Any = {"verify_aud": False, "verify_iat": False}
            claims: Mapping[str, Any] = jwt.decode(
                token, key, algorithms=[algorithm], options=options
            )
        except jwt.ExpiredSignatureError as fault:
            raise TokenExpired from fault
        except (jwt.InvalidTokenError, ValueError, TypeError) as fault:
            raise InvalidToken from fault
        return claims


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str):
        raise InvalidToken
    return value


def _channels(claims: Mapping[str, Any]) -> tuple[str, ...]:
    channels = claims.get("channels") or []
    if not isinstance(channels, list) or not all(isinstance(c, str) for c in channels):
        raise InvalidToken
    return tuple(channels)
