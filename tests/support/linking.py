"""Linking accounts at other providers, as tests of one's own account do it."""

from typing import Any

from app.http.sessions import COOKIE_NAME
from tests.support.house import Person, Served
from tests.support.scripted_idp import ScriptedOidc
from tests.support.traveller import Traveller, query

IDENTITIES = "/api/v1/auth/identities"


def signed_in(browser: Traveller, who: Person) -> Traveller:
    """The same browser with somebody's session."""
    browser.own[COOKIE_NAME] = who.token
    return browser


async def arrive(
    browser: Traveller, script: ScriptedOidc, url: str, slug: str = "scripted", **claims: Any
) -> str:
    """Come back from the provider as somebody; where one lands."""
    wish = query(url)
    script.codes[wish["state"]] = script.token(wish["nonce"], **claims)
    path = f"/api/v1/auth/federated/{slug}/callback?code={wish['state']}&state={wish['state']}"
    return str((await browser.send("GET", path)).headers["location"])


async def link(
    browser: Traveller, script: ScriptedOidc, subject: str, slug: str = "scripted"
) -> str:
    """The whole way of linking; where one lands."""
    answer = await browser.send("POST", f"{IDENTITIES}/{slug}/link", json={})
    url = answer.raise_for_status().json()["url"]
    email = f"{subject}@elsewhere.example"
    return await arrive(browser, script, url, slug, sub=subject, email=email, email_verified=False)


async def links_of(browser: Traveller) -> list[dict[str, Any]]:
    """The list as its owner sees it."""
    items: list[dict[str, Any]] = (await browser.send("GET", IDENTITIES)).json()["items"]
    return items


async def actions_on(house: Served, user_id: int) -> list[str]:
    """What the audit log says of an account, in order."""
    rows = await house.house.db.fetch(
        "SELECT action FROM audit_log WHERE target_type = 'user' AND target_id = $1 ORDER BY id",
        str(user_id),
    )
    return [row["action"] for row in rows]
