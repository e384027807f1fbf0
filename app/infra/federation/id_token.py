"""Whom an ID token speaks of, once everything about it was checked.

Source: OpenID Connect Core 1.0, 3.1.3.7. The only user of joserfc, but for the type of key sets.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from msgspec import Struct

from app.infra.federation.faults import FederationFault

SKEW_S = 60
"""How far the provider's clock may be off."""
OLDEST_S = 600
"""A token is made when the code is redeemed: an older one was kept by somebody."""
ED25519 = "Ed25519"
OLD_NAMES = {"EdDSA": ED25519}
"""Providers still say the name of the family, which RFC 9864 replaced by one for each curve."""
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", ED25519}
)
"""Signatures with a public key only: never `none`, never a MAC whose key could be that public
text (RFC 8725, 3.1 and 3.2)."""
MAX_HEADER_BYTES = 8192
UNREADABLE = (
    JoseError,
    ValueError,
    TypeError,
    KeyError,
    RecursionError,
    msgspec.ValidationError,
)
"""What garbage raises in joserfc and below it."""
MAX_SUBJECT = 255
"""OpenID Connect Core 1.0, 2."""


class UnknownKey(FederationFault):
    """The token names a key that the set does not have: it may be newer than the set."""

    def __init__(self) -> None:
        super().__init__("untrusted", "the ID token was signed with an unknown key")


class Registry(JWSRegistry):
    """Knows the algorithms of ID tokens; joserfc's own `EdDSA` would take other curves and warn."""

    def get_alg(self, name: str) -> Any:
        """The algorithm of this name. Raises UnsupportedAlgorithmError."""
        return super().get_alg(OLD_NAMES.get(name, name))


class Claims(Struct, frozen=True):
    """What is read of an ID token."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: float
    iat: float
    nonce: str = ""
    nbf: float = 0.0
    azp: str | None = None
    at_hash: str | None = None
    email: str | None = None
    email_verified: bool | str = False
    name: str | None = None


class Expected(Struct, frozen=True):
    """What must be true of a token that is meant for this journey."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str = ""


def read_key_set(body: dict[str, Any]) -> KeySet:
    """The public signing keys of a JWK set (RFC 7517). Raises FederationFault."""
    try:
        wanted = [key for key in body.get("keys", []) if _may_sign(key)]
        return KeySet.import_key_set({"keys": wanted})
    except (JoseError, ValueError, TypeError, KeyError) as fault:
        raise FederationFault("untrusted", f"a key set without sense: {fault!r}") from None


def read_id_token(
    token: str, keys: KeySet, algorithms: Collection[str], expected: Expected, at: datetime
) -> Claims:
    """The claims of a token that may be believed. Raises UnknownKey, FederationFault."""
    allowed = ALGORITHMS.intersection(OLD_NAMES.get(name, name) for name in algorithms)
    if not allowed:  # joserfc takes none for all that it recommends
        raise FederationFault("untrusted", "the provider signs by no algorithm that we take")
    registry = Registry(algorithms=sorted(allowed), strict_check_header=False)
    registry.max_header_length = MAX_HEADER_BYTES
    try:
        decoded = jwt.decode(token, keys, registry=registry)
        claims = msgspec.convert(decoded.claims, Claims)
    except InvalidKeyIdError:
        raise UnknownKey from None
    except UNREADABLE as fault:
        raise FederationFault("untrusted", f"the ID token: {fault!r}") from None
    wrong = _first_wrong(claims, expected, at.timestamp(), str(decoded.header.get("alg")))
    if wrong:
        raise FederationFault("untrusted", f"the ID token's {wrong} is not right")
    return claims


def _first_wrong(claims: Claims, expected: Expected, at: float, algorithm: str) -> str | None:
    """The name of the first claim that is not what it must be."""
    audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    is_right = {
        "iss": claims.iss == expected.issuer,
        "aud": expected.client_id in audience,
        "azp": claims.azp == expected.client_id or (claims.azp is None and len(audience) == 1),
        "sub": 0 < len(claims.sub) <= MAX_SUBJECT and "\x00" not in claims.sub,
        "nonce": hmac.compare_digest(claims.nonce.encode(), expected.nonce.encode()),
        "exp": at < claims.exp + SKEW_S,
        "iat": claims.iat - SKEW_S <= at <= claims.iat + OLDEST_S + SKEW_S,
        "nbf": claims.nbf - SKEW_S <= at,
        "at_hash": _fits(claims.at_hash, expected.access_token, algorithm),
    }
    return next((name for name, right in is_right.items() if not right), None)


def _fits(at_hash: str | None, access_token: str, algorithm: str) -> bool:
    """Whether the access token is the one that came with the ID token (Core 1.0, 3.1.3.6)."""
    if at_hash is None:
        return True
    # Ed25519 names no hash; its signature is over SHA-512 (RFC 8032, 5.1), and so is this.
    bits = "512" if OLD_NAMES.get(algorithm, algorithm) == ED25519 else algorithm[2:]
    digest = hashlib.new(f"sha{bits}", access_token.encode()).digest()
    half = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    return hmac.compare_digest(half, at_hash.encode())


def _may_sign(key: Any) -> bool:
    if not isinstance(key, dict) or key.get("use", "sig") != "sig":
        return False
    is_edwards = key.get("kty") == "OKP" and key.get("crv") == ED25519
    return is_edwards or key.get("kty") in {"RSA", "EC"}
