"""Cookie requests come from our own pages (ASVS 5.0, 3.5.1-3; S4 of the reliability table)."""

import httpx
import pytest

from app.http.sessions import COOKIE_NAME
from tests.support.house import Person, Served

ME = "/api/v1/users/me"


@pytest.fixture
def cookie(learner: Person) -> dict[str, str]:
    """The learner's session as a browser sends it: cookie and bearer share the token."""
    return {"cookie": f"{COOKIE_NAME}={learner.token}"}


def foreign_origins(served: Served) -> list[str]:
    """Origins that look like ours and are not."""
    host = served.url.removeprefix("http://")
    name, port = host.split(":")
    swapped = name[:-1] + chr(ord(name[-1]) + 1)
    authorities = [
        f"{name}:1",
        name,
        f"{name}:",
        f"{name}:0{port}",
        f"{name}:{port}0",
        f"{host}.evil.example",
        f"{host}evil.example",
        f"sub.{host}",
        f"evil-{host}",
        f"{host}@evil.example",
        f"me:secret@{host}",
        f"{name}.:{port}",
        f"{swapped}:{port}",
        f"[::1]:{port}",
        f"0x7f000001:{port}",
        f"2130706433:{port}",
        f"127.1:{port}",
        f"xn--lcalhost-7ya:{port}",
        f"l%C3%B6calhost:{port}",
        "evil.example",
        f"evil.example:{port}",
        f"evil.example#{host}",
        f"evil.example?{host}",
        f"evil.example/{host}",
        f"evil.example\\{host}",
        f"{name}%00.evil.example:{port}",
    ]
    return [
        *(f"http://{authority}" for authority in authorities),
        "null",
        "",
        "*",
        host,
        f"//{host}",
        f"https://{host}",
        f"ws://{host}",
        f"wss://{host}",
        f"file://{host}",
        f"HTTP:{host}",
        f"http:/{host}",
        f"{served.url}/",
        f"{served.url}/path",
        f"{served.url}?",
        f"{served.url}, {served.url}",
        f"{served.url} {served.url}",
        f"{served.url},null",
        f"{served.url}\tx",
    ]


async def test_v3_5_1_foreign_origins_change_nothing(
    served: Served, nobody: httpx.AsyncClient, cookie: dict[str, str]
) -> None:
    """Every foreign origin is 403 for an unsafe method, whatever it looks like."""
    for origin in foreign_origins(served):
        headers = {**cookie, "origin": origin}
        answer = await nobody.put(ME, json={"name": "taken over"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign-origin"), origin


async def test_v3_5_1_two_origins_change_nothing(
    served: Served, nobody: httpx.AsyncClient, cookie: dict[str, str]
) -> None:
    """A doubled header is foreign, also when both halves are our own."""
    for one, other in ((served.url, "https://evil.example"), (served.url, served.url)):
        headers = [*cookie.items(), ("origin", one), ("origin", other)]
        answer = await nobody.put(ME, json={"name": "taken over"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign-origin"), other


async def test_v3_5_1_own_origin_is_accepted(
    served: Served, nobody: httpx.AsyncClient, cookie: dict[str, str]
) -> None:
    """Our own pages work."""
    headers = {**cookie, "origin": served.url}
    assert (await nobody.put(ME, json={"name": "Own"}, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("site", "status"),
    [("same-origin", 200), ("same-site", 403), ("cross-site", 403), ("none", 403)],
)
async def test_v3_5_1_fetch_metadata_decides_without_origin(
    nobody: httpx.AsyncClient, cookie: dict[str, str], site: str, status: int
) -> None:
    """Browsers that send no Origin say by Sec-Fetch-Site where the request was made."""
    headers = {**cookie, "sec-fetch-site": site}
    answer = await nobody.put(ME, json={"name": "Own"}, headers=headers)
    assert answer.status_code == status


async def test_v3_5_1_cookie_without_any_sign_is_refused(
    nobody: httpx.AsyncClient, cookie: dict[str, str]
) -> None:
    """A cookie alone proves nothing."""
    answer = await nobody.put(ME, json={"name": "x"}, headers=cookie)
    assert answer.status_code == 403


async def test_v3_5_2_form_bodies_are_refused(
    served: Served, nobody: httpx.AsyncClient, cookie: dict[str, str]
) -> None:
    """What a foreign HTML form could send is 415 even from our own origin."""
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {**cookie, "origin": served.url, "content-type": kind}
        answer = await nobody.put(ME, content=b'{"name": "x"}', headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


async def test_v3_5_1_login_from_a_foreign_page_is_refused(nobody: httpx.AsyncClient) -> None:
    """Login CSRF: nobody is signed in as somebody else by another site."""
    form = {"email": "a@example.org", "password": "whatever-it-is"}
    headers = {"origin": "https://evil.example"}
    answer = await nobody.post("/api/v1/auth/login", json=form, headers=headers)
    assert answer.json()["code"] == "foreign-origin"


async def test_bearer_token_needs_no_origin(learner: Person) -> None:
    """A token that no browser sends by itself cannot be abused by another site."""
    headers = {"origin": "https://partner.example"}
    answer = await learner.http.put(ME, json={"name": "Bearer"}, headers=headers)
    assert answer.status_code == 200


async def test_bearer_beside_a_cookie_decides_alone(
    nobody: httpx.AsyncClient, cookie: dict[str, str]
) -> None:
    """A wrong bearer token is nobody, even beside a good cookie."""
    headers = {**cookie, "authorization": "Bearer wrong"}
    assert (await nobody.get(ME, headers=headers)).status_code == 401
