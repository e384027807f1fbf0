"""The protocol's JWTs: who connects, to what a token lets subscribe, and what is refused."""

import time
import warnings
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from realtime import Identity, InvalidToken, TokenExpired
from realtime.tokens import JwtVerifier

SECRET = "a secret of sixty-four bytes".ljust(64, ".")
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
VERIFIER = JwtVerifier(hmac_secret=SECRET, rsa_public_key=PUBLIC.decode())


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Short keys are part of what is tried here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        yield


def signed(**claims: Any) -> str:
    return jwt.encode(claims, SECRET, algorithm="HS256")


async def test_a_token_says_who_connects() -> None:
    """User, end, what others see, and channels."""
    end = int(time.time()) + 60
    token = signed(sub="7", exp=end, info={"name": "Ada"}, channels=["a", "b"])
    identity = await VERIFIER.connect(token)
    assert identity == Identity(
        user="7", expires_at=end, channels=("a", "b"), info=b'{"name":"Ada"}'
    )


async def test_both_algorithms_are_accepted() -> None:
    """HS256 with the secret, RS256 with the public key."""
    token = jwt.encode({"sub": "8"}, RSA_KEY, algorithm="RS256")
    assert (await VERIFIER.connect(token)).user == "8"
    assert (await VERIFIER.connect(signed())).user == ""


async def test_the_public_key_is_no_secret() -> None:
    """An HMAC made with the public key is not a signature."""
    only_rsa = JwtVerifier(rsa_public_key=PUBLIC.decode())
    with pytest.raises(InvalidToken):
        await only_rsa.connect(signed(sub="7"))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "a.b.c",
        jwt.encode({"sub": "7"}, "", algorithm="none"),
        jwt.encode({"sub": "7"}, "another secret".ljust(64, "."), algorithm="HS256"),
        jwt.encode({"sub": "7"}, SECRET, algorithm="HS512"),
        signed(sub="7", channel="a"),
        signed(sub=["7"]),
        signed(sub="7", sid=7),
        signed(sub="7", channels="a"),
        signed(sub="7", channels=[1]),
    ],
)
async def test_anything_else_is_invalid(token: str) -> None:
    """Foreign keys, other algorithms, none, wrong types, and tokens made for something else."""
    with pytest.raises(InvalidToken):
        await VERIFIER.connect(token)


async def test_a_token_past_its_time_is_expired() -> None:
    """The client fetches another one."""
    with pytest.raises(TokenExpired):
        await VERIFIER.connect(signed(sub="7", exp=int(time.time()) - 1))


async def test_a_subscription_token_names_its_user_and_channel() -> None:
    """It is worth nothing to others and elsewhere."""
    me = Identity(user="7")
    token = signed(sub="7", channel="a", exp=2_000_000_000)
    assert (await VERIFIER.subscription(token, me, "a")).expires_at == 2_000_000_000
    for identity, channel in ((me, "b"), (Identity(user="8"), "a")):
        with pytest.raises(InvalidToken):
            await VERIFIER.subscription(token, identity, channel)
