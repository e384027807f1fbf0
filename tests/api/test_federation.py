"""Signing in with another provider: the whole journey, against a certified one."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.settings import Settings
from tests.support.house import Served, serve, with_settings
from tests.support.oidc_server import as_setting, provider_process
from tests.support.traveller import Traveller, query


@pytest.fixture(scope="module")
async def house(settings: Settings, issuer: str) -> AsyncIterator[Served]:
    """The app with two slugs for that provider: one of them is another's as far as it knows."""
    providers = (as_setting(issuer), as_setting(issuer, "twin"))
    async with serve(with_settings(settings, oidc_providers=providers)) as running:
        yield running


async def test_a_new_person_gets_an_account(browser: Traveller) -> None:
    """The provider vouches for the address: the account is open and confirmed at once."""
    url = await browser.depart("local", next="/account?tab=1")
    landed = await browser.travel(url, "new.person@example.org")
    assert (landed.status_code, landed.headers["location"]) == (303, "/account?tab=1")
    me = await browser.me()
    assert me is not None
    assert (me["email"], me["name"]) == ("new.person@example.org", "New.person")


async def test_the_same_person_comes_back_to_the_same_account(browser: Traveller) -> None:
    """Known by provider and subject, not by the address."""
    await browser.travel(await browser.depart("local"), "again@example.org")
    first = await browser.me()
    browser.own.clear()
    await browser.travel(await browser.depart("local"), "again@example.org")
    assert first is not None
    assert await browser.me() == first


async def test_the_session_says_how_it_was_proved(browser: Traveller, house: Served) -> None:
    """RFC 8176: the proof was a federated one."""
    await browser.travel(await browser.depart("local"), "method@example.org")
    assert browser.session is not None
    principal = await house.house.sessions.principal_by_token(browser.session)
    assert principal is not None
    assert principal.methods == ("fed",)


async def test_v10_4_6_no_code_is_redeemed_without_its_verifier(
    browser: Traveller, house: Served
) -> None:
    """PKCE: the provider refuses another verifier, and the browser is told so."""
    url = await browser.depart("local")
    assert query(url)["code_challenge_method"] == "S256"
    await house.house.db.execute(
        "UPDATE federation_states SET verifier = 'another-one-of-the-right-length-0123456789abc'"
    )
    landed = await browser.travel(url, "pkce@example.org")
    assert landed.headers["location"] == "/login?error=provider-failed"
    assert await browser.me() is None


async def test_saying_no_is_told(browser: Traveller) -> None:
    """Whoever cancels lands at the door, with a reason and without a session."""
    landed = await browser.travel(await browser.depart("local"), "cancel")
    assert landed.headers["location"] == "/login?error=sign-in-cancelled"
    assert browser.session is None


async def test_v10_2_1_a_journey_ends_once(browser: Traveller) -> None:
    """The address of the arrival, taken from a history, lets nobody in."""
    url = await browser.depart("local")
    landed = await browser.travel(url, "once@example.org")
    browser.own.pop("__Host-sicerdas")
    answer = await browser.send("GET", str(landed.request.url))
    assert answer.headers["location"] == "/login?error=stale-sign-in"
    assert browser.session is None


async def test_v10_2_1_a_journey_belongs_to_its_browser(browser: Traveller, house: Served) -> None:
    """An arrival that an attacker prepared signs nobody in to the attacker's account."""
    url = await browser.depart("local")
    async with httpx.AsyncClient() as http:
        victim = Traveller(house.url, http)
        victim.jars.update(
            {host: jar for host, jar in browser.jars.items() if host not in house.url}
        )
        landed = await victim.travel(url, "attacker@example.org")
        assert landed.headers["location"] == "/login?error=foreign-sign-in"
        assert victim.session is None
    arrived = await browser.send("GET", str(landed.request.url))
    assert arrived.headers["location"] == "/", "another browser must not end the journey"


async def test_v10_2_1_a_journey_is_not_for_ever(browser: Traveller, house: Served) -> None:
    """Ten minutes after its beginning it is over."""
    url = await browser.depart("local")
    await house.house.db.execute("UPDATE federation_states SET expires_at = now()")
    landed = await browser.travel(url, "late@example.org")
    assert landed.headers["location"] == "/login?error=stale-sign-in"


async def test_v10_2_2_an_arrival_counts_at_its_own_provider_only(browser: Traveller) -> None:
    """Mix-up: the answer of one provider is worth nothing at the address of another."""
    url = await browser.depart("local")
    answer = await browser.send(
        "GET", f"/api/v1/auth/federated/twin/callback?code=x&state={query(url)['state']}"
    )
    assert answer.headers["location"] == "/login?error=stale-sign-in"


@pytest.mark.parametrize("iss", ["https://evil.example", None])
async def test_v10_2_2_the_sender_is_checked(browser: Traveller, iss: str | None) -> None:
    """RFC 9207: this provider says who it is, so an answer that says another or none is refused."""
    login = f"sender.{iss is None}@example.org".lower()
    arrival = httpx.URL(await code_for(browser, await browser.depart("local"), login))
    said = {**arrival.params, "iss": iss} if iss else {**arrival.params}
    if iss is None:
        del said["iss"]
    answer = await browser.send("GET", str(arrival.copy_with(params=said)))
    assert answer.headers["location"] == "/login?error=provider-failed"
    assert browser.session is None


async def test_two_tabs_travel_at_once(browser: Traveller) -> None:
    """The second journey of a browser does not spoil the first."""
    first, second = await browser.depart("local", next="/a"), await browser.depart("local")
    landed = await browser.travel(first, "tabs@example.org")
    assert landed.headers["location"] == "/a"
    landed = await browser.travel(second, "tabs@example.org")
    assert landed.headers["location"] == "/"


async def test_concurrent_arrivals_open_one_session(browser: Traveller, house: Served) -> None:
    """Of ten copies of one arrival one comes in."""
    url = await browser.depart("local")
    code = await code_for(browser, url, "storm@example.org")
    answers = await asyncio.gather(*(browser.send("GET", code) for _ in range(10)))
    landed = sorted(answer.headers["location"] for answer in answers)
    assert landed == ["/", *["/login?error=stale-sign-in"] * 9]


async def test_concurrent_journeys_open_one_account(house: Served) -> None:
    """A new person who comes by two tabs at once has one account with one link."""
    async with httpx.AsyncClient() as http:
        tabs = [Traveller(house.url, http) for _ in range(4)]
        urls = [await tab.depart("local") for tab in tabs]
        codes = [
            await code_for(tab, url, "twice@example.org")
            for tab, url in zip(tabs, urls, strict=True)
        ]
        answers = await asyncio.gather(
            *(tab.send("GET", code) for tab, code in zip(tabs, codes, strict=True))
        )
        assert [answer.headers["location"] for answer in answers] == ["/"] * 4
        people = [await tab.me() for tab in tabs]
    assert len({person["id"] for person in people if person}) == 1


async def code_for(browser: Traveller, url: str, login: str) -> str:
    """The address of the arrival, not gone to yet."""
    for _ in range(12):
        answer = await browser.send("GET", url)
        if answer.status_code == 200:
            answer = await browser.http_form(url, {"login": login})
        url = httpx.URL(url).join(answer.headers["location"])
        if "/callback" in str(url):
            return str(url)
        url = str(url)
    raise AssertionError("the journey has no end")


@pytest.mark.parametrize(
    "bad",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "/ok\r\nset-cookie: a=b",
        "/ok\n",
        "javascript:alert(1)",
        "evil.example",
        "",
    ],
)
async def test_v3_7_2_next_leads_nowhere_else(browser: Traveller, bad: str) -> None:
    """Only a path of our own pages is taken along."""
    answer = await browser.send("POST", "/api/v1/auth/federated/local/start", json={"next": bad})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")


async def test_cookies_are_for_this_host_and_hidden_from_scripts(browser: Traveller) -> None:
    """`__Host-`, Secure, HttpOnly, Lax: strict would stay away on the way back (ASVS 3.3)."""
    answer = await browser.send("POST", "/api/v1/auth/federated/local/start", json={})
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("__host-sicerdas-federation=")
    assert {"secure", "httponly", "samesite=lax", "path=/", "max-age=600"} <= {
        part.strip() for part in cookie.split(";")
    }
    assert answer.headers["cache-control"] == "no-store"


async def test_arrival_is_kept_by_no_store_and_told_to_no_page(browser: Traveller) -> None:
    """The address of an arrival holds a code."""
    landed = await browser.travel(await browser.depart("local"), "quiet@example.org")
    assert landed.headers["cache-control"] == "no-store"
    assert landed.headers["referrer-policy"] == "no-referrer"


async def test_secrets_of_a_journey_are_hashed_in_the_database(
    browser: Traveller, house: Served
) -> None:
    """Neither the state nor the browser's cookie can be read from the table."""
    state = query(await browser.depart("local"))["state"]
    rows = await house.house.db.fetch("SELECT * FROM federation_states")
    told = repr([tuple(row) for row in rows])
    assert state not in told
    assert browser.own["__Host-sicerdas-federation"] not in told


async def test_old_journeys_are_forgotten(browser: Traveller, house: Served) -> None:
    """Nobody comes back from them."""
    await browser.depart("local")
    await house.house.db.execute("UPDATE federation_states SET expires_at = now()")
    await house.house.federation.trim()
    assert await house.house.db.fetchval("SELECT count(*) FROM federation_states") == 0


async def test_list_names_what_is_configured(house: Served, nobody: httpx.AsyncClient) -> None:
    """The login page asks before anybody is signed in; without providers the list is empty."""
    there = await nobody.get(f"{house.url}/api/v1/auth/providers")
    assert [one["slug"] for one in there.json()["items"]] == ["local", "twin"]
    assert (await nobody.get("/api/v1/auth/providers")).json() == {"items": [], "next": None}


async def test_unknown_provider_is_absent(browser: Traveller) -> None:
    """For the page and for a browser that comes back to it."""
    answer = await browser.send("POST", "/api/v1/auth/federated/nobody/start", json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    answer = await browser.send("GET", "/api/v1/auth/federated/nobody/callback?state=x&code=y")
    assert answer.headers["location"] == "/login?error=stale-sign-in"


async def test_pushed_requests_and_userinfo(settings: Settings) -> None:
    """A provider that wants requests pushed (RFC 9126) and tells addresses at userinfo only."""
    with provider_process(par=True, slim=True) as issuer:
        async with (
            serve(with_settings(settings, oidc_providers=(as_setting(issuer),))) as running,
            httpx.AsyncClient() as http,
        ):
            browser = Traveller(running.url, http)
            url = await browser.depart("local")
            assert query(url).keys() == {"client_id", "request_uri"}
            await browser.travel(url, "pushed@example.org")
            me = await browser.me()
            assert me is not None
            assert me["email"] == "pushed@example.org"
