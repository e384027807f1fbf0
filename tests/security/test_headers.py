"""Headers of every page and file: a strict policy that names no other host (ASVS 5.0, 3.4)."""

import re

import httpx
import pytest

from app.settings import Settings
from tests.support.house import PASSWORD, MakePerson, Served
from tests.support.routes import all_addresses

REQUIRED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
VIEWERS = {"/api/docs", "/api/docs/realtime"}
"""Pages of other makers that set style attributes; nobody's words are shown there."""


def directives(policy: str) -> dict[str, set[str]]:
    """A Content-Security-Policy by directive; of a doubled one the first counts (CSP 3, 2.2.1)."""
    found: dict[str, set[str]] = {}
    for part in policy.split(";"):
        name, *values = part.split()
        found.setdefault(name, set(values))
    return found


@pytest.fixture(scope="module")
def pages(settings: Settings) -> list[str]:
    """Every address that a browser opens, and some of each other kind."""
    files = [one.path for one in all_addresses(settings) if one.is_file]
    return [*files, "/", "/books/1", "/login", "/account", "/nowhere.php", "/api/v1/books"]


async def test_v3_4_3_every_answer_has_a_strict_policy(
    nobody: httpx.AsyncClient, pages: list[str]
) -> None:
    """No script from elsewhere, none inline, no plug-ins, no frames, no other form target."""
    for path in pages:
        answer = await nobody.get(path, headers={"accept": "text/html"})
        policy = directives(answer.headers["content-security-policy"])
        assert policy["object-src"] == {"'none'"}, path
        assert policy["base-uri"] == {"'none'"}, path
        assert policy["frame-ancestors"] == {"'none'"}, path
        assert policy["form-action"] == {"'self'"}, path
        assert policy["default-src"] == {"'self'"}, path
        scripts = policy.get("script-src", policy["default-src"])
        allowed = {"'self'", "'unsafe-eval'"} if path.startswith(tuple(VIEWERS)) else {"'self'"}
        assert scripts <= allowed, path
        for values in policy.values():
            hosts = {v for v in values if not v.startswith("'") and v not in {"data:", "blob:"}}
            assert hosts == set(), path
        for name, value in REQUIRED.items():
            assert answer.headers[name] == value, path


async def test_v3_4_3_pages_obey_their_policy(nobody: httpx.AsyncClient, pages: list[str]) -> None:
    """No inline script, style or handler, and nothing loaded from another host."""
    for path in pages:
        answer = await nobody.get(path, headers={"accept": "text/html"})
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        text = answer.text
        assert re.search(r"<script(?![^>]*\bsrc=)", text) is None, path
        assert re.search(r"<style|\sstyle=|\son\w+=|javascript:", text) is None, path
        for address in re.findall(r'\s(?:src|href)="([^"]*)"', text):
            assert not address.startswith(("http:", "https:", "//")), (path, address)


async def test_v3_4_1_hsts_where_the_connection_is_safe(served: Served) -> None:
    """Behind a proxy that says https, browsers are told to keep to it for a year."""
    headers = {"x-forwarded-proto": "https"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers) as client:
        answer = await client.get("/health/live")
    seconds = re.fullmatch(r"max-age=(\d+).*", answer.headers["strict-transport-security"])
    assert seconds is not None
    assert int(seconds[1]) >= 31_536_000
    assert "includeSubDomains" in answer.headers["strict-transport-security"]


async def test_v3_3_every_cookie_is_locked_down(
    nobody: httpx.AsyncClient, person: MakePerson
) -> None:
    """`__Host-`, Secure, HttpOnly and SameSite, when it is set and when it is taken back."""
    someone = await person()
    form = {"email": someone.email, "password": PASSWORD}
    answers = [
        await nobody.post("/api/v1/auth/login", json=form),
        await someone.http.post("/api/v1/auth/logout"),
    ]
    for answer in answers:
        cookies = answer.headers.get_list("set-cookie")
        assert cookies
        for cookie in cookies:
            name, _, rest = cookie.partition("=")
            flags = {part.strip().lower() for part in rest.split(";")[1:]}
            assert name.startswith("__Host-")
            assert {"secure", "httponly", "path=/"} <= flags
            assert flags & {"samesite=lax", "samesite=strict"}
            assert not [flag for flag in flags if flag.startswith("domain")]
    nobody.cookies.clear()


async def test_v13_4_4_trace_is_not_answered(nobody: httpx.AsyncClient) -> None:
    """Nothing is echoed."""
    for method in ("TRACE", "TRACK", "CONNECT", "DEBUG"):
        answer = await nobody.request(method, "/api/v1/books", headers={"x-canary": "canary"})
        assert answer.status_code in {400, 404, 405, 501}
        assert "canary" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/.git/HEAD",
        "/.git/config",
        "/.env",
        "/assets/",
        "/api/docs/../../pyproject.toml",
        "/assets/..%2f..%2f..%2fpyproject.toml",
        "/..%2f..%2fpyproject.toml",
        "/pyproject.toml",
        "/assets/%00",
        "/.data/",
        "/media/covers/",
        "/media/covers/..%2f..%2ftexts%2fa.md",
    ],
)
async def test_v13_4_1_nothing_but_the_build_is_served(
    nobody: httpx.AsyncClient, path: str
) -> None:
    """No repository, no settings, no listings, no way out of the folder."""
    answer = await nobody.get(path)
    assert answer.status_code in {400, 404, 405}, answer.text[:100]


async def test_v14_3_2_private_answers_are_not_cached(
    nobody: httpx.AsyncClient, served: Served
) -> None:
    """Failures and tokens are `no-store`."""
    for path in ("/api/v1/users/me", "/api/v1/nothing"):
        assert "no-store" in (await nobody.get(path)).headers["cache-control"]
