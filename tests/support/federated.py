"""A provider that says what a test wants, and browsers that come back from it."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest

from app.infra.federation import Cached, OidcClient
from tests.support.house import Served
from tests.support.oidc_server import provider_process
from tests.support.scripted_idp import ScriptedOidc, listening
from tests.support.traveller import Traveller, query

FAILED = "/login?error=provider-failed"


@pytest.fixture(scope="module")
async def script() -> AsyncIterator[ScriptedOidc]:
    """A provider that says what a test wants."""
    script = ScriptedOidc()
    async with listening(script):
        yield script


@pytest.fixture
async def browser(house: Served) -> AsyncIterator[Traveller]:
    """A browser in which nobody is signed in."""
    async with httpx.AsyncClient() as http:
        yield Traveller(house.url, http)


@pytest.fixture
def provider(script: ScriptedOidc) -> ScriptedOidc:
    """A provider that lies on demand, honest at first."""
    script.at(script.issuer)
    script.replies.clear()
    script.seen.clear()
    return script


@pytest.fixture
def first_browser(house: Served, browser: Traveller, monkeypatch: pytest.MonkeyPatch) -> Traveller:
    """The first that asks: the app knows neither the provider's document nor its keys yet."""
    client = house.house.federation._providers["scripted"]
    assert isinstance(client, OidcClient)
    monkeypatch.setattr(client, "_discovery", Cached(client._discover))
    monkeypatch.setattr(client, "_keys", Cached(client._fetch_keys))
    return browser


async def arrive(browser: Traveller, provider: ScriptedOidc, make: Callable[[str], str]) -> str:
    """Begin, come back at once with a code for the token that `make` makes; where one lands."""
    wish = query(await browser.depart("scripted"))
    provider.codes["code"] = make(wish["nonce"])
    answer = await browser.send(
        "GET", f"/api/v1/auth/federated/scripted/callback?code=code&state={wish['state']}"
    )
    return str(answer.headers["location"])


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The certified provider."""
    with provider_process() as address:
        yield address
