"""CORS: an allow-list of exact origins (ASVS 5.0, 3.4.2, 3.5.4)."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.settings import Settings
from tests.security.test_origin import foreign_origins
from tests.story.wire import opened
from tests.support.house import Person, Served, serve, with_settings

ME = "/api/v1/users/me"
PARTNER = "https://partner.example"


@pytest.fixture(scope="module")
async def open_house(settings: Settings) -> AsyncIterator[Served]:
    """An app that lists one other site."""
    async with serve(with_settings(settings, cors_origins=(PARTNER,))) as running:
        yield running


@pytest.fixture
async def browser(open_house: Served, learner: Person) -> AsyncIterator[httpx.AsyncClient]:
    """The learner's browser."""
    cookie = f"__Host-sicerdas={learner.token}"
    async with httpx.AsyncClient(base_url=open_house.url, headers={"cookie": cookie}) as client:
        yield client


def asking(origin: str) -> dict[str, str]:
    """A preflight."""
    return {
        "origin": origin,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type,if-match",
    }


async def test_v3_4_2_a_listed_origin_may_ask(browser: httpx.AsyncClient) -> None:
    """The preflight names this very origin, the methods and the headers; caches tell them apart."""
    answer = await browser.options(ME, headers=asking(PARTNER))
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PARTNER
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "if-match" in answer.headers["access-control-allow-headers"]
    assert "Origin" in answer.headers["vary"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_v3_4_2_a_listed_origin_may_change_and_read(browser: httpx.AsyncClient) -> None:
    """With the person's cookie, and with what it needs to know of the answer."""
    answer = await browser.put(ME, json={"name": "Partner"}, headers={"origin": PARTNER})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PARTNER
    assert "etag" in answer.headers["access-control-expose-headers"]
    refused = await browser.put(ME, json={"role": "admin"}, headers={"origin": PARTNER})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (400, PARTNER)


async def test_v3_4_2_others_are_told_nothing(
    browser: httpx.AsyncClient, open_house: Served
) -> None:
    """No look-alike of the listed origin or of our own gets a grant, with or without preflight."""
    near = ["https://partner.example.evil.example", "http://partner.example", f"{PARTNER}:444"]
    for origin in (*foreign_origins(open_house), *near, f"{PARTNER}/", "the called address", "*"):
        for answer in (
            await browser.options(ME, headers=asking(origin)),
            await browser.get(ME, headers={"origin": origin}),
            await browser.put(ME, json={"name": "x"}, headers={"origin": origin}),
        ):
            assert not [n for n in answer.headers if n.startswith("access-control")], origin
        assert answer.status_code == 403, origin


async def test_v3_4_2_caches_never_mix_origins(browser: httpx.AsyncClient) -> None:
    """Every answer varies with Origin, also where there was none."""
    for headers in ({}, {"origin": PARTNER}, {"origin": "https://evil.example"}):
        answer = await browser.get("/api/v1/books", headers=headers)
        assert "Origin" in answer.headers["vary"]


async def test_our_own_pages_still_work(browser: httpx.AsyncClient, open_house: Served) -> None:
    """A list of guests shuts nobody out."""
    headers = {"origin": open_house.url}
    assert (await browser.put(ME, json={"name": "Own"}, headers=headers)).status_code == 200


async def test_a_listed_origin_may_open_sockets(open_house: Served, learner: Person) -> None:
    """Live screens of the other site, with the same cookie."""
    cookie = {"cookie": f"__Host-sicerdas={learner.token}"}
    async with opened(open_house.url, additional_headers=cookie, origin=PARTNER) as wire:
        assert "connect" in await wire.command(connect={})


async def test_without_a_list_there_is_no_cors(nobody: httpx.AsyncClient) -> None:
    """The default: nothing is granted and no preflight answered."""
    answer = await nobody.options(ME, headers=asking(PARTNER))
    assert not [name for name in answer.headers if name.startswith("access-control")]
