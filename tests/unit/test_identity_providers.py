"""What an operator may say of other providers, and what is refused at the start."""

import asyncio
import json
from typing import Any

import pytest

from app.infra.federation import FederationFault
from app.infra.federation.cached import COOL_S, KEEP_S, Cached
from app.infra.federation.outbound import Outbound
from app.kit.identity_providers import parse_oidc_providers
from app.settings import VARIABLES, Settings

WELL_KNOWN = "/.well-known/openid-configuration"
RIGHT: dict[str, Any] = {
    "slug": "corp",
    "client_id": "abc",
    "client_secret": "a canary",
    "discovery_url": f"https://id.example{WELL_KNOWN}",
}


def test_google_needs_no_more_than_its_client() -> None:
    """The preset knows its address and the hosts its document points at."""
    said = '[{"slug": "google", "client_id": "abc", "client_secret": "def"}]'
    (google,) = parse_oidc_providers(said)
    assert (google.name, google.issuer) == ("Google", "https://accounts.google.com")
    outbound = Outbound(google.discovery_url, google.hosts)
    outbound.check("https://oauth2.googleapis.com/token")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"discovery_url": f"http://id.example{WELL_KNOWN}"}, "https://"),
        ({"discovery_url": "https://id.example/"}, "must end with"),
        ({"slug": "github"}, "variables of its own"),
        ({"slug": "../up"}, "regex"),
        ({"scopes": ["email"]}, "openid"),
        ({"client_secret": 5}, "a secret is a text"),
        ({"cleint_id": "x"}, "unknown field"),
        ({"discovery_url": f"https://[half{WELL_KNOWN}"}, "Invalid"),
    ],
)
def test_faults_are_told_without_the_secret(change: dict[str, Any], told: str) -> None:
    """At the start, by name, and nothing of the secret is shown."""
    with pytest.raises(ValueError) as caught:
        parse_oidc_providers(json.dumps([RIGHT | change]))
    assert told in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("raw", ["{}", "nope", "[[]]", json.dumps([RIGHT, RIGHT])])
def test_list_must_be_one_of_different_providers(raw: str) -> None:
    """No half of it is taken."""
    with pytest.raises(ValueError):
        parse_oidc_providers(raw)


def test_loopback_needs_no_tls() -> None:
    """To try it on one machine."""
    local = RIGHT | {"discovery_url": f"http://localhost:9000{WELL_KNOWN}"}
    assert parse_oidc_providers(json.dumps([local]))[0].name == "Corp"


def test_settings_never_show_a_secret() -> None:
    """A settings object in a log or a traceback."""
    assert VARIABLES["oidc_providers"][0] == "SICERDAS_OIDC_PROVIDERS"
    env = dict.fromkeys((name for name, _, required in VARIABLES.values() if required), "x" * 40)
    env |= {"S3_ENDPOINT_URL": "http://127.0.0.1", "OPENAI_BASE_URL": "http://127.0.0.1"}
    settings = Settings.from_env(env | {"SICERDAS_OIDC_PROVIDERS": json.dumps([RIGHT])})
    assert settings.oidc_providers[0].client_secret.reveal() == "a canary"
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://id.example.evil.example/",
        "https://id.example@evil.example/",
        "https://id.example:8443/",
        "http://id.example/",
        "ftp://id.example/",
        "//id.example/",
        "https://id.example\\@evil.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
    ],
)
def test_v13_2_4_only_own_hosts_are_asked(url: str) -> None:
    """Exact scheme, host and port; a look-alike is another host (S10)."""
    outbound = Outbound(RIGHT["discovery_url"], ["keys.example"])
    outbound.check("https://id.example/token")
    outbound.check("https://KEYS.example:443/jwks")
    with pytest.raises(FederationFault):
        outbound.check(url)


class Fetcher:
    """Counts, and fails on demand."""

    def __init__(self) -> None:
        self.count = 0
        self.is_away = False

    async def __call__(self) -> int:
        if self.is_away:
            raise FederationFault("away", "on demand")
        self.count += 1
        return self.count


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_kept_thing_is_fetched_once_an_hour() -> None:
    """And a wish for a newer one is granted once in a while, however often it comes."""
    fetch, clock = Fetcher(), Clock()
    cached = Cached(fetch, clock=clock)
    assert [await cached.get(), await cached.get(), await cached.get(anew=True)] == [1, 1, 1]
    clock.now += COOL_S + 1
    assert [await cached.get(), await cached.get(anew=True), await cached.get(anew=True)] == [
        1,
        2,
        2,
    ]
    clock.now += KEEP_S + 1
    assert await cached.get() == 3


async def test_old_thing_is_better_than_none() -> None:
    """A provider that is away for a while is not missed, and is asked once in a while only."""
    fetch, clock = Fetcher(), Clock()
    cached = Cached(fetch, clock=clock)
    fetch.is_away = True
    with pytest.raises(FederationFault):
        await cached.get()
    fetch.is_away = False
    assert await cached.get() == 1
    clock.now += KEEP_S + 1
    fetch.is_away = True
    assert [await cached.get(), await cached.get()] == [1, 1]
    fetch.is_away = False
    assert await cached.get() == 1
    clock.now += COOL_S + 1
    assert await cached.get() == 2


async def test_v15_2_2_who_waited_for_a_failed_fetch_does_not_begin_another() -> None:
    """Or each waits for all before: one slow failure at a time, however many strangers ask."""
    tries = 0

    async def fetch() -> int:
        nonlocal tries
        tries += 1
        await asyncio.sleep(0)
        raise FederationFault("away", "not there")

    cached = Cached(fetch)
    answers = await asyncio.gather(*(cached.get() for _ in range(10)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [FederationFault] * 10
    assert tries == 1
    with pytest.raises(FederationFault):
        await cached.get()
    assert tries == 2
