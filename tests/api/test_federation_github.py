"""Signing in with GitHub, against a scripted server: its refusals are answers 200."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.kit.secret import Secret
from app.settings import Settings
from tests.support.house import MakePerson, Served, serve, with_settings
from tests.support.scripted_idp import ScriptedGitHub, listening
from tests.support.traveller import Traveller, query

CLIENT_SECRET = "github-secret"


@pytest.fixture(scope="module")
def script() -> ScriptedGitHub:
    """One server for all tests."""
    return ScriptedGitHub()


@pytest.fixture
def github(script: ScriptedGitHub) -> ScriptedGitHub:
    """GitHub, with a confirmed primary address among others."""
    script.account = {"id": 0, "login": "octocat", "name": "The Octocat"}
    script.addresses = [
        {"email": "old@example.org", "primary": False, "verified": True},
        {"email": "octocat@example.org", "primary": True, "verified": True},
    ]
    script.replies.clear()
    return script


@pytest.fixture(scope="module")
async def house(settings: Settings, script: ScriptedGitHub) -> AsyncIterator[Served]:
    """The app on a GitHub of its own."""
    async with listening(script) as address:
        own = with_settings(
            settings,
            github_client_id="Iv1.client",
            github_client_secret=Secret(CLIENT_SECRET),
            github_base_url=address,
            github_api_url=f"{address}/api/v3",
        )
        async with serve(own) as running:
            yield running


async def arrive(browser: Traveller, github: ScriptedGitHub, code: str = "good") -> str:
    """Go and come back; where one lands."""
    wish = query(await browser.depart("github"))
    github.challenge = wish["code_challenge"]
    answer = await browser.send(
        "GET", f"/api/v1/auth/federated/github/callback?code={code}&state={wish['state']}"
    )
    return str(answer.headers["location"])


async def test_a_new_person_gets_an_account(browser: Traveller, github: ScriptedGitHub) -> None:
    """By the primary address, under the name that they show there."""
    github.account["id"] = 1
    assert await arrive(browser, github) == "/"
    me = await browser.me()
    assert me is not None
    assert (me["email"], me["name"]) == ("octocat@example.org", "The Octocat")


async def test_a_renamed_login_is_the_same_person(
    browser: Traveller, github: ScriptedGitHub
) -> None:
    """The number counts: a login can be given up and taken by a stranger (ASVS 5.0, 10.5.2)."""
    github.account["id"], github.addresses[1]["email"] = 2, "second@example.org"
    await arrive(browser, github)
    first = await browser.me()
    github.account |= {"login": "renamed", "name": None}
    github.addresses[1]["email"] = "moved@example.org"
    await arrive(browser, github)
    assert first is not None
    assert await browser.me() == first


async def test_the_login_of_another_number_is_another_person(
    browser: Traveller, github: ScriptedGitHub
) -> None:
    """The stranger who took the login does not come in as its former owner."""
    github.account["id"], github.addresses[1]["email"] = 3, "third@example.org"
    await arrive(browser, github)
    first = await browser.me()
    github.account["id"], github.addresses[1]["email"] = 4, "fourth@example.org"
    await arrive(browser, github)
    second = await browser.me()
    assert first is not None
    assert second is not None
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    "addresses",
    [
        [],
        [{"email": "x@example.org", "primary": True, "verified": False}],
        [{"email": "x@example.org", "primary": False, "verified": True}],
        [{"email": "not an address", "primary": True, "verified": True}],
    ],
    ids=["none", "unverified", "not primary", "no address"],
)
async def test_only_a_verified_primary_address_counts(
    browser: Traveller, github: ScriptedGitHub, addresses: list[dict[str, Any]]
) -> None:
    """Anything else opens no account."""
    github.account["id"], github.addresses = 5, addresses
    assert await arrive(browser, github) == "/login?error=provider-email-unverified"


async def test_v6_8_1_an_unverified_address_leads_to_nobody(
    browser: Traveller, github: ScriptedGitHub, person: MakePerson
) -> None:
    """Somebody else's address, typed in at GitHub."""
    owner = await person()
    github.account["id"] = 6
    github.addresses = [{"email": owner.email, "primary": True, "verified": False}]
    assert await arrive(browser, github) == "/login?error=provider-email-unverified"


async def test_a_wrong_code_is_refused(browser: Traveller, github: ScriptedGitHub) -> None:
    """A refusal is a 200 there, and none here."""
    assert await arrive(browser, github, "bad") == "/login?error=provider-failed"


async def test_v10_4_6_the_verifier_goes_along(browser: Traveller, github: ScriptedGitHub) -> None:
    """PKCE: another challenge at GitHub than ours ends the journey."""
    wish = query(await browser.depart("github"))
    github.challenge = "another"
    answer = await browser.send(
        "GET", f"/api/v1/auth/federated/github/callback?code=good&state={wish['state']}"
    )
    assert answer.headers["location"] == "/login?error=provider-failed"


@pytest.mark.parametrize(
    ("path", "reply", "code"),
    [
        ("/login/oauth/access_token", (502, b""), "provider-unavailable"),
        ("/login/oauth/access_token", (404, {}), "provider-failed"),
        ("/api/v3/user", (403, {"message": "rate limit"}), "provider-failed"),
        ("/api/v3/user", (200, {"login": "no number"}), "provider-failed"),
        ("/api/v3/user/emails", (200, {"message": "no list"}), "provider-failed"),
        ("/api/v3/user/emails", (500, {}), "provider-unavailable"),
    ],
)
async def test_bad_answers(
    browser: Traveller, github: ScriptedGitHub, path: str, reply: Any, code: str
) -> None:
    """Each is told, and nobody is let in."""
    github.replies[path] = reply
    assert await arrive(browser, github) == f"/login?error={code}"
    assert browser.session is None


async def test_the_secret_goes_to_github_only(browser: Traveller, github: ScriptedGitHub) -> None:
    """The browser carries neither secret nor verifier."""
    url = await browser.depart("github")
    assert CLIENT_SECRET not in url
    assert "code_verifier" not in url
    github.account["id"] = 7
    await arrive(browser, github)
    assert next(one for one in github.seen if "token" in one.path).form["client_secret"]
