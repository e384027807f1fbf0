"""What stands behind the door that another provider opens: the second step, and the limits."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import Context
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.http.sessions import COOKIE_NAME
from app.infra.db import Database
from app.settings import Settings
from tests.realtime.waiting import until
from tests.support.factors import enrol
from tests.support.house import MakePerson, Served, serve, with_settings
from tests.support.mailbox import Mailbox
from tests.support.scripted_idp import ScriptedOidc
from tests.support.traveller import Traveller, query


@pytest.fixture(scope="module")
async def house(settings: Settings, script: ScriptedOidc) -> AsyncIterator[Served]:
    """The app that trusts it."""
    async with serve(with_settings(settings, oidc_providers=(script.setting(),))) as running:
        yield running


async def arrive(browser: Traveller, script: ScriptedOidc, email: str, path: str = "/") -> str:
    """Go, and come back as the owner of this address; where one lands."""
    wish = query(await browser.depart("scripted", next=path))
    state = wish["state"]
    script.codes[state] = script.token(wish["nonce"], sub=email, email=email)
    callback = f"/api/v1/auth/federated/scripted/callback?code={state}&state={state}"
    return str((await browser.send("GET", callback)).headers["location"])


async def test_v6_3_3_second_factor_is_asked_for_here_too(
    browser: Traveller, script: ScriptedOidc, person: MakePerson, house: Served
) -> None:
    """The provider's word is one proof; the step stands in the fragment, which no server sees."""
    owner = await person()
    async with httpx.AsyncClient(base_url=house.url) as nobody:
        enrolled = await enrol(house, nobody, owner)
        landed = urlsplit(await arrive(browser, script, owner.email, "/account"))
        assert browser.session is None
        assert (landed.path, landed.query) == ("/login", "next=%2Faccount")
        said = parse_qs(landed.fragment)
        assert said["methods"] == ["totp,recovery"]
        form = {"token": said["second-step"][0], "method": "totp", "code": enrolled.code()}
        answer = await browser.send("POST", "/api/v1/auth/second-factor", json=form)
    assert answer.status_code == 200
    principal = await house.house.sessions.principal_by_token(browser.own[COOKIE_NAME])
    assert principal is not None
    assert principal.methods == ("fed", "otp")


async def test_link_by_address_is_mailed(
    browser: Traveller, script: ScriptedOidc, person: MakePerson, mailbox: Mailbox
) -> None:
    """What happens by itself is told all the more."""
    owner = await person()
    assert await arrive(browser, script, owner.email) == "/"
    assert (await mailbox.newest(owner.email)).subject == "Scripted now lets you in"


async def test_another_session_of_this_browser_ends(
    browser: Traveller, script: ScriptedOidc, person: MakePerson, house: Served
) -> None:
    """As with every door: whoever comes in leaves no session behind in the same browser."""
    before = await person()
    browser.own[COOKIE_NAME] = before.token
    assert await arrive(browser, script, "comes.after@example.org") == "/"
    assert await house.house.sessions.principal_by_token(before.token) is None


async def test_v2_4_1_journeys_are_counted(settings: Settings, script: ScriptedOidc) -> None:
    """An address cannot fill the table of journeys, nor make us ask the provider without end."""
    own = with_settings(
        settings,
        oidc_providers=(script.setting(),),
        logins_per_address_per_minute=2,
        redis_prefix="journeys:",
    )
    async with serve(own) as running, httpx.AsyncClient() as http:
        browser = Traveller(running.url, http)
        path = "/api/v1/auth/federated/scripted/start"
        statuses = [(await browser.send("POST", path, json={})).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


async def test_v2_4_1_new_accounts_are_counted(settings: Settings, script: ScriptedOidc) -> None:
    """A provider that vouches for anybody opens no more accounts than a form would."""
    own = with_settings(
        settings,
        oidc_providers=(script.setting(),),
        signups_per_address_per_hour=1,
        redis_prefix="accounts:",
    )
    async with serve(own) as running, httpx.AsyncClient() as http:
        browser = Traveller(running.url, http)
        assert await arrive(browser, script, "counted.one@example.org") == "/"
        landed = await arrive(browser, script, "counted.two@example.org")
        assert landed == "/login?error=too-many-requests"
        assert await arrive(browser, script, "counted.one@example.org") == "/"


async def test_v7_4_2_closed_account_is_closed_to_its_links_too(
    browser: Traveller, script: ScriptedOidc, house: Served
) -> None:
    """And open again when the closure has ended by itself."""
    email = "closed.and.open@example.org"
    await arrive(browser, script, email)
    close = (
        "UPDATE users SET deactivated_at = now(), deactivated_until = now() + $2 * interval '1 h'"
    )
    await house.house.db.execute(f"{close} WHERE email = $1", email, 1)
    assert await arrive(browser, script, email) == "/login?error=account-deactivated"
    await house.house.db.execute(f"{close} WHERE email = $1", email, 0)
    assert await arrive(browser, script, email) == "/"


async def test_link_that_is_cut_meanwhile_lets_nobody_in(
    browser: Traveller, script: ScriptedOidc, house: Served
) -> None:
    """The arrival waits for the account, which is just being cut from its link."""
    email = "cut.meanwhile@example.org"
    await arrive(browser, script, email)
    browser.own.pop(COOKIE_NAME)
    db = house.house.db
    async with db.transaction() as tx:
        user_id = await tx.fetchval("SELECT id FROM users WHERE email = $1 FOR UPDATE", email)
        arriving = asyncio.create_task(arrive(browser, script, email), context=Context())
        await until(lambda: waits_for_lock(db))
        await tx.execute("DELETE FROM identities WHERE user_id = $1", user_id)
    assert await arriving == "/login?error=stale-sign-in"
    assert browser.session is None


async def waits_for_lock(db: Database) -> bool:
    """Whether some statement on users stands still."""
    async with db.pool.acquire() as connection:
        return bool(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database() AND query LIKE '%FROM users%'"
            )
        )


async def test_database_that_is_away_is_told_on_a_page(
    browser: Traveller, script: ScriptedOidc, house: Served
) -> None:
    """The browser is on its way: it lands at the door, not on a problem document."""
    wish = query(await browser.depart("scripted"))
    pool, house.house.db.engine.pool = house.house.db.engine.pool, None
    try:
        answer = await browser.send(
            "GET", f"/api/v1/auth/federated/scripted/callback?code=x&state={wish['state']}"
        )
    finally:
        house.house.db.engine.pool = pool
    assert answer.headers["location"] == "/login?error=unavailable"
