"""Providers that fail, refuse, point elsewhere or never end: said in one way, never our fault."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from app.infra.federation.outbound import MAX_BYTES
from app.kit.secret import Secret
from app.settings import Settings
from tests.support.federated import FAILED, arrive
from tests.support.house import Served, serve, with_settings
from tests.support.scripted_idp import KEY, ScriptedOidc
from tests.support.traveller import Traveller, query

AWAY = "/login?error=provider-unavailable"


@pytest.fixture(scope="module")
async def house(settings: Settings, script: ScriptedOidc) -> AsyncIterator[Served]:
    """The app that trusts it."""
    async with serve(with_settings(settings, oidc_providers=(script.setting(),))) as running:
        yield running


@pytest.mark.parametrize(
    ("reply", "landing"),
    [
        ((500, {}), AWAY),
        ((503, b"busy"), AWAY),
        ((400, {"error": "invalid_grant"}), FAILED),
        ((401, {"error": "invalid_client"}), FAILED),
        ((302, {}), FAILED),
        ((200, b"<html>"), FAILED),
        ((200, {"access_token": "x"}), FAILED),
        ((200, b"[" * 200_000), FAILED),
        ((200, b'"' + b"x" * 300_000 + b'"'), FAILED),
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_bad_answers_of_the_token_endpoint(
    browser: Traveller, provider: ScriptedOidc, reply: tuple[int, Any], landing: str
) -> None:
    """Failing, refusing, pointing elsewhere, endless or without sense: told apart, never ours."""
    provider.replies["/token"] = reply
    assert await arrive(browser, provider, provider.token) == landing


async def test_provider_that_is_down_is_said_so(settings: Settings) -> None:
    """503 with a code of its own, before anybody has left."""
    gone = ScriptedOidc(issuer="http://127.0.0.1:1")
    own = with_settings(settings, oidc_providers=(gone.setting(),))
    async with serve(own) as running, httpx.AsyncClient() as http:
        answer = await Traveller(running.url, http).send(
            "POST", "/api/v1/auth/federated/scripted/start", json={}
        )
    assert (answer.status_code, answer.json()["code"]) == (503, "provider-unavailable")


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://127.0.0.1:9/token"},
        {"token_endpoint": "http://169.254.169.254/latest/meta-data"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "https://evil.example/keys"},
        {"token_endpoint": "http://[half"},
    ],
    ids=repr,
)
async def test_v10_5_3_discovery_leads_nowhere_else(
    first_browser: Traveller, provider: ScriptedOidc, change: dict[str, str]
) -> None:
    """Another issuer, another host, another scheme: refused before anything is sent (S10)."""
    provider.document |= change
    answer = await first_browser.send("POST", "/api/v1/auth/federated/scripted/start", json={})
    assert (answer.status_code, answer.json()["code"]) == (502, "provider-failed")
    assert [one.path for one in provider.seen] == ["/.well-known/openid-configuration"]


async def test_discovery_may_not_point_at_userinfo_elsewhere(
    first_browser: Traveller, provider: ScriptedOidc
) -> None:
    """The access token goes to the provider's own hosts only."""
    provider.document["userinfo_endpoint"] = "http://127.0.0.1:9/userinfo"
    landed = await arrive(first_browser, provider, lambda nonce: provider.token(nonce, email=None))
    assert landed == FAILED


@pytest.mark.parametrize(
    ("path", "reply", "code"),
    [
        ("/.well-known/openid-configuration", (404, {}), "provider-unavailable"),
        ("/.well-known/openid-configuration", (200, {"issuer": 5}), "provider-failed"),
        ("/.well-known/openid-configuration", (301, {}), "provider-failed"),
    ],
)
async def test_bad_discovery(
    first_browser: Traveller, provider: ScriptedOidc, path: str, reply: Any, code: str
) -> None:
    """Said before anybody has left."""
    provider.replies[path] = reply
    answer = await first_browser.send("POST", "/api/v1/auth/federated/scripted/start", json={})
    assert answer.json()["code"] == code


@pytest.mark.parametrize(
    ("path", "reply", "landing"),
    [
        ("/keys", (404, {}), AWAY),
        ("/keys", (200, {"keys": 5}), FAILED),
        ("/keys", (200, {"keys": []}), FAILED),
        ("/keys", (200, {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "one"}]}), FAILED),
        ("/keys", (200, {"keys": [{"kty": "RSA", "kid": "one", "n": "!", "e": "AQAB"}]}), FAILED),
        ("/userinfo", (403, {}), FAILED),
        ("/userinfo", (200, {"sub": 7}), FAILED),
    ],
    ids=repr,
)
async def test_bad_keys_and_bad_userinfo(
    first_browser: Traveller, provider: ScriptedOidc, path: str, reply: Any, landing: str
) -> None:
    """Nothing without sense is believed, and nothing of it is a fault of ours."""
    provider.replies[path] = reply
    landed = await arrive(first_browser, provider, lambda nonce: provider.token(nonce, email=None))
    assert landed == landing


async def test_v15_2_2_endless_answer_is_not_read(
    first_browser: Traveller, provider: ScriptedOidc
) -> None:
    """Right keys, and then more than anybody needs."""
    keys = {"keys": [KEY.as_dict(private=False)], "more": "x" * MAX_BYTES}
    provider.replies["/keys"] = (200, keys)
    assert await arrive(first_browser, provider, provider.token) == FAILED


async def test_other_refusals_at_the_provider(browser: Traveller) -> None:
    """An error of theirs is no "no" of the person's; a state without a code is nothing."""
    for said in ("&error=server_error", ""):
        state = query(await browser.depart("scripted"))["state"]
        answer = await browser.send(
            "GET", f"/api/v1/auth/federated/scripted/callback?state={state}{said}"
        )
        assert answer.headers["location"] == FAILED


@pytest.mark.parametrize(
    ("methods", "secret", "place"),
    [
        (["client_secret_basic"], "s", "header"),
        (["client_secret_post"], "s", "form"),
        (["client_secret_basic", "client_secret_post"], "s", "header"),
        (["none"], "", "nowhere"),
    ],
)
async def test_secret_travels_as_the_provider_wants_it(
    settings: Settings, provider: ScriptedOidc, methods: list[str], secret: str, place: str
) -> None:
    """RFC 6749, 2.3.1: in the header, in the form, or not at all for a public client."""
    provider.document["token_endpoint_auth_methods_supported"] = methods
    setting = replace(provider.setting(), client_secret=Secret(secret))
    async with (
        serve(with_settings(settings, oidc_providers=(setting,))) as running,
        httpx.AsyncClient() as http,
    ):
        assert await arrive(Traveller(running.url, http), provider, provider.token) == "/"
    asked = next(one for one in provider.seen if one.path == "/token")
    assert ("authorization" in asked.headers) == (place == "header")
    assert ("client_secret" in asked.form) == (place == "form")
    assert ("client_id" in asked.form) == (place != "header")
