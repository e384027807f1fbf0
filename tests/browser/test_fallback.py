"""Networks that break WebSockets: the pages live on over ordinary requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenWindow
from tests.support.fake_llm import FakeLLM, Script
from tests.support.house import MakePerson, Served
from tests.support.proxy import Proxy

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("worker")]

SOCKET = b"GET /connection/websocket"
HTTP_STREAM = b"POST /connection/http_stream"
SOON_MS = 1000


@asynccontextmanager
async def network(served: Served, *refused: bytes) -> AsyncIterator[str]:
    """The house behind a network that resets some requests; its address there."""
    port = urlsplit(served.url).port
    assert port is not None
    async with Proxy.to_port(port) as proxy:
        proxy.toxics.refused = refused
        yield f"http://127.0.0.1:{proxy.port}"


@pytest.mark.parametrize(
    ("refused", "way"),
    [((SOCKET,), "/connection/http_stream"), ((SOCKET, HTTP_STREAM), "/connection/sse")],
    ids=["streaming", "events"],
)
async def test_without_websockets_everything_lives(
    window: OpenWindow,
    served: Served,
    person: MakePerson,
    fake_llm: FakeLLM,
    book_id: int,
    refused: tuple[bytes, ...],
    way: str,
) -> None:
    """Counters move and the tutor answers: publications come down, calls go up."""
    blocked = ["/connection/", "/assets/"]
    async with network(served, *refused) as url:
        learner = await window(await person(), f"/books/{book_id}", at=url, expected=blocked)
        asked: list[str] = []
        learner.page.on("request", lambda request: asked.append(urlsplit(request.url).path))
        await learner.page.reload()
        await learner.is_live()
        assert way in asked
        liking = await person()
        body = {"book_id": book_id, "type": "like"}
        (await liking.http.post("/api/v1/interactions", json=body)).raise_for_status()
        counter = learner.page.locator(".stats [data-counter=likes]")
        await expect(counter).to_have_attribute("data-value", "1", timeout=SOON_MS)
        with fake_llm.script("chloroplasts", Script(["They ", "catch ", "sunlight."])):
            box = learner.page.get_by_label("Your question")
            await box.fill("What do chloroplasts catch?")
            await box.press("Enter")
            answer = learner.page.locator("[data-status=completed]")
            await expect(answer).to_contain_text("They catch sunlight.")
        assert "/emulation" in asked
        await learner.context.close()
