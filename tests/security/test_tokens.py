"""The token of `/realtime/token`: signed by us, for this purpose, for a minute (ASVS 5.0, V9)."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from app.infra.tokens import AUDIENCE, RealtimeTokens
from app.kit.clock import now
from realtime import InvalidToken, TokenExpired

SECRET = "a secret of at least thirty-two characters"


@pytest.fixture
def tokens() -> RealtimeTokens:
    return RealtimeTokens(SECRET, lifetime_s=60)


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says, but for the changes."""
    good = {"sub": "1", "sid": "s", "aud": AUDIENCE, "exp": now() + timedelta(seconds=60)}
    return {name: value for name, value in (good | changes).items() if value is not None}


def unsigned() -> str:
    parts = ({"alg": "none", "typ": "JWT"}, {"sub": "1", "sid": "s", "aud": AUDIENCE, "exp": 9e9})
    packed = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
    return b".".join([*packed, b""]).decode()


def with_a_key_of_its_own() -> str:
    """RSA, with the key to check it by in the token itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    headers = {"jwk": public, "jku": "https://evil.example/keys", "kid": "../../etc/passwd"}
    return jwt.encode(claims(), key, algorithm="RS256", headers=headers)


def altered() -> str:
    head, _, signature = jwt.encode(claims(), SECRET, algorithm="HS256").split(".")
    other = jwt.encode(claims(sub="2"), "x" * 40, algorithm="HS256").split(".")[1]
    return f"{head}.{other}.{signature}"


FORGED: dict[str, Callable[[], str]] = {
    "unsigned": unsigned,
    "signed with another secret": lambda: jwt.encode(claims(), "x" * 40, algorithm="HS256"),
    "another algorithm": lambda: jwt.encode(claims(), SECRET * 2, algorithm="HS512"),
    "a key of its own": with_a_key_of_its_own,
    "altered": altered,
    "for another audience": lambda: jwt.encode(claims(aud="api"), SECRET, algorithm="HS256"),
    "for nobody in particular": lambda: jwt.encode(claims(aud=None), SECRET, algorithm="HS256"),
    "without an end": lambda: jwt.encode(claims(exp=None), SECRET, algorithm="HS256"),
    "without a session": lambda: jwt.encode(claims(sid=None), SECRET, algorithm="HS256"),
    "no number": lambda: jwt.encode(claims(sub="admin"), SECRET, algorithm="HS256"),
    "words": lambda: "not.a.token",
    "empty": lambda: "",
}


@pytest.mark.parametrize("make", FORGED.values(), ids=FORGED.keys())
def test_v9_1_forged_tokens_are_refused(tokens: RealtimeTokens, make: Callable[[], str]) -> None:
    """Signature, algorithm, key, purpose and audience: each alone is enough to refuse."""
    with pytest.raises(InvalidToken):
        tokens.read(make())


def test_v9_2_1_a_token_ends(tokens: RealtimeTokens) -> None:
    """Not even a second is given; one that begins later is refused as well."""
    past = jwt.encode(claims(exp=now() - timedelta(seconds=1)), SECRET, algorithm="HS256")
    with pytest.raises(TokenExpired):
        tokens.read(past)
    later = jwt.encode(claims(nbf=now() + timedelta(seconds=30)), SECRET, algorithm="HS256")
    with pytest.raises(InvalidToken):
        tokens.read(later)


def test_v9_2_a_good_token_is_read(tokens: RealtimeTokens) -> None:
    """What was signed comes out."""
    read = tokens.read(tokens.sign(7, "session"))
    assert (read.user_id, read.session_id) == (7, "session")
