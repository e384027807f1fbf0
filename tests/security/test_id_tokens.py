"""ID tokens and providers that cannot be believed: each lie is refused, and said in one way."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from app.settings import Settings
from tests.support.federated import FAILED, arrive
from tests.support.house import Served, serve, with_settings
from tests.support.scripted_idp import CLIENT_ID, KEY, ScriptedOidc
from tests.support.traveller import Traveller, query

EC_KEY = ECKey.generate_key("P-256", {"kid": "two"})
ED_KEY = OKPKey.generate_key("Ed25519", {"kid": "three"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one"})


@pytest.fixture(scope="module")
async def house(settings: Settings, script: ScriptedOidc) -> AsyncIterator[Served]:
    """The app that trusts it."""
    async with serve(with_settings(settings, oidc_providers=(script.setting(),))) as running:
        yield running


async def test_a_right_token_lets_one_in(browser: Traveller, provider: ScriptedOidc) -> None:
    """What all lies below are measured against."""
    assert await arrive(browser, provider, provider.token) == "/"
    assert browser.session is not None


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": []},
        {"aud": [CLIENT_ID, "another-client"]},
        {"aud": [CLIENT_ID, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"sub": ""},
        {"sub": None},
        {"sub": "x" * 256},
        {"sub": "a\x00b"},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": None},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"nbf": 4_000_000_000},
    ],
    ids=repr,
)
async def test_v10_5_4_every_claim_is_checked(
    browser: Traveller, provider: ScriptedOidc, lie: dict[str, Any]
) -> None:
    """Nonce, issuer, audience, party, subject and times (Core 1.0, 3.1.3.7)."""
    assert (
        await arrive(browser, provider, lambda nonce: provider.token(**{"nonce": nonce, **lie}))
        == FAILED
    )
    assert browser.session is None


@pytest.mark.parametrize(
    ("claim", "off_s", "is_fine"),
    [
        ("exp", -50, True),
        ("exp", -75, False),
        ("iat", 50, True),
        ("iat", 75, False),
        ("iat", -600, True),
        ("iat", -700, False),
        ("nbf", 50, True),
        ("nbf", 75, False),
    ],
)
async def test_clocks_may_differ_by_a_minute(
    browser: Traveller, provider: ScriptedOidc, claim: str, off_s: int, *, is_fine: bool
) -> None:
    """Skew within 60 s is forgiven, beyond it is not; a token of long ago is nobody's."""
    now = provider.claims("")["iat"]
    landed = await arrive(
        browser, provider, lambda nonce: provider.token(nonce, **{claim: now + off_s})
    )
    assert landed == ("/" if is_fine else FAILED)


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "ES256", "Ed25519", "EdDSA"])
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # the provider of the test says it
async def test_signatures_with_a_public_key_count(
    first_browser: Traveller, provider: ScriptedOidc, algorithm: str
) -> None:
    """Whichever of the usual ones, with the access token's hash beside it (Core 1.0, 3.1.3.6)."""
    key = {"ES": EC_KEY, "Ed": ED_KEY}.get(algorithm[:2], KEY)
    bits = "512" if key is ED_KEY else algorithm[2:]
    digest = hashlib.new(f"sha{bits}", b"at").digest()
    half = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()

    def signed(nonce: str) -> str:
        header = {"alg": algorithm, "kid": key.kid}
        claims = provider.claims(nonce, at_hash=half)
        return jwt.encode(header, claims, key, algorithms=[algorithm])

    provider.keys = [KEY, EC_KEY, ED_KEY]
    try:
        assert await arrive(first_browser, provider, signed) == "/"
    finally:
        provider.keys = [KEY]


@pytest.mark.parametrize("curve", ["Ed448", "Ed25519"])
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_v9_1_2_only_one_curve_and_only_if_the_provider_says_so(
    first_browser: Traveller, provider: ScriptedOidc, curve: str
) -> None:
    """Ed448 is no algorithm of ours; Ed25519 is none of a provider that lists others."""
    key = OKPKey.generate_key(curve, {"kid": "four"})
    if curve == "Ed25519":
        provider.document["id_token_signing_alg_values_supported"] = ["RS256"]
    provider.keys = [KEY, key]

    def signed(nonce: str) -> str:
        claims = provider.claims(nonce)
        return jwt.encode({"alg": "EdDSA", "kid": "four"}, claims, key, algorithms=["EdDSA"])

    try:
        assert await arrive(first_browser, provider, signed) == FAILED
    finally:
        provider.keys = [KEY]


async def test_v9_1_2_provider_without_an_algorithm_of_ours_is_not_believed(
    first_browser: Traveller, provider: ScriptedOidc
) -> None:
    """Not even with a signature that others may give: it said that it gives none such."""
    provider.document["id_token_signing_alg_values_supported"] = ["HS256"]
    assert await arrive(first_browser, provider, provider.token) == FAILED


def unsigned(claims: dict[str, Any], algorithm: str) -> str:
    """A token with this algorithm and no signature."""
    parts = ({"alg": algorithm, "kid": "one"}, claims)
    texts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return f"{texts[0]}.{texts[1]}."


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "RS256", "HS256", ""])
async def test_v9_1_2_unsigned_token_is_refused(
    browser: Traveller, provider: ScriptedOidc, algorithm: str
) -> None:
    """Without a signature nothing is believed, however the header calls it."""
    landed = await arrive(
        browser, provider, lambda nonce: unsigned(provider.claims(nonce), algorithm)
    )
    assert landed == FAILED


async def test_v9_1_2_public_key_is_no_shared_secret(
    first_browser: Traveller, provider: ScriptedOidc
) -> None:
    """HS256 with the published key as its secret, even when discovery allows HS256."""
    provider.document["id_token_signing_alg_values_supported"] = ["RS256", "HS256", "none"]
    pem = KEY.as_pem(private=False)

    def forged(nonce: str) -> str:
        header = {"alg": "HS256", "kid": "one"}
        return jwt.encode(header, provider.claims(nonce), OctKey.import_key(pem.hex()))

    assert await arrive(first_browser, provider, forged) == FAILED


async def test_v9_1_2_another_key_is_refused(browser: Traveller, provider: ScriptedOidc) -> None:
    """The same name, another key: the header's own word counts for nothing (`jwk`, `jku`)."""

    def forged(nonce: str) -> str:
        header = {
            "alg": "RS256",
            "kid": "one",
            "jwk": OTHER_KEY.as_dict(private=False),
            "jku": "http://127.0.0.1:1/keys",
        }
        return jwt.encode(header, provider.claims(nonce), OTHER_KEY)

    assert await arrive(browser, provider, forged) == FAILED


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "..", "é.é.é", "eyJ9." * 3, "a" * 100_000])
async def test_garbage_is_no_token(browser: Traveller, provider: ScriptedOidc, token: str) -> None:
    """Whatever comes, it is a refusal and not a fault of ours."""
    assert await arrive(browser, provider, lambda _nonce: token or " ") == FAILED


async def test_new_key_is_fetched_once(first_browser: Traveller, provider: ScriptedOidc) -> None:
    """Providers change their keys; an invented name does not make us ask again and again."""
    await arrive(first_browser, provider, provider.token)
    for _ in range(3):
        landed = await arrive(
            first_browser, provider, lambda nonce: provider.token(nonce, kid="two")
        )
        assert landed == FAILED
    assert len([one for one in provider.seen if one.path == "/keys"]) == 1


async def test_address_may_come_from_userinfo(browser: Traveller, provider: ScriptedOidc) -> None:
    """Of the same person only (Core 1.0, 5.3.2)."""

    def bare(nonce: str) -> str:
        return provider.token(nonce, sub="info-1", email=None, email_verified=None)

    provider.info = {"sub": "another", "email": "info@example.org", "email_verified": True}
    assert await arrive(browser, provider, bare) == FAILED
    provider.info = {"sub": "info-1", "email": "info@example.org", "email_verified": "true"}
    assert await arrive(browser, provider, bare) == "/"
    me = await browser.me()
    assert me is not None
    assert me["email"] == "info@example.org"


async def test_v16_2_5_no_secret_reaches_the_log(
    browser: Traveller, provider: ScriptedOidc, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither codes nor tokens nor the client's secret, when all goes wrong."""
    wish = query(await browser.depart("scripted"))
    provider.codes["canary-code"] = provider.token("wrong-nonce")
    state = wish["state"]
    await browser.send(
        "GET", f"/api/v1/auth/federated/scripted/callback?code=canary-code&state={state}"
    )
    told = "".join(capsys.readouterr())
    assert "federation.failed" in told
    secrets = ("canary-code", state, "scripted-secret", provider.codes["canary-code"])
    assert [secret for secret in secrets if secret in told] == []
