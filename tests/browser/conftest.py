"""A real Chromium on the run's app; a window for everybody who takes part in a test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, async_playwright

from app.worker import model_of, work
from tests.browser.chromium.locate import find_chromium
from tests.browser.doors import AUTHENTICATOR, OpenNamed
from tests.browser.window import Window
from tests.support.house import Person, Served
from tests.support.library import course, import_course

SITE = Path(__file__).parents[2] / "frontend-contract" / "reference-app"
OpenWindow = Callable[..., Awaitable[Window]]
CELLS = """\
Mitochondria release the energy of food in small steps and store it in a molecule called ATP.
Nearly every cell of an animal or plant has hundreds of them.

## Light

Chloroplasts catch sunlight and turn it into sugar, which mitochondria can then burn for energy.
"""
NO_OFFERS = "delete PublicKeyCredential.isConditionalMediationAvailable"
topics = count(1)


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for the run."""
    if not (SITE / "dist" / "index.html").exists():
        pytest.fail("the pages are not built: make setup")
    found = await asyncio.to_thread(find_chromium)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=found.path, env={**found.env}, args=["--no-sandbox"]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def window(chromium: Browser, served: Served) -> AsyncIterator[OpenWindow]:
    """Opens windows, and checks at the end that none of them showed a fault."""
    windows: list[Window] = []

    async def open_window(
        who: Person | None = None,
        path: str = "/",
        *,
        at: str | None = None,
        expected: Sequence[str] = (),
        **options: Any,
    ) -> Window:
        context = await chromium.new_context(**{"locale": "en", **options})
        context.set_default_timeout(10_000)
        opened = Window(at or served.url, context, await context.new_page())
        opened.expected = [*expected]
        windows.append(opened)
        opened.watch()
        if who is None:
            await opened.open(path)
        else:
            await opened.sign_in(who, path)
        return opened

    yield open_window
    for opened in windows:
        await opened.context.close()
    for opened in windows:
        opened.check()


@pytest.fixture
async def named(chromium: Browser, served: Served) -> AsyncIterator[OpenNamed]:
    """Opens windows on `localhost`, each with an authenticator: a number has no passkeys.

    With `offers` the login page offers them: this authenticator then picks at once.
    """
    windows: list[Window] = []

    async def open_named(url: str = "", *, offers: bool = False, **options: Any) -> Window:
        address = urlsplit(url or served.url)
        context = await chromium.new_context(**{"locale": "en", **options})
        context.set_default_timeout(10_000)
        if not offers:
            await context.add_init_script(NO_OFFERS)
        page = await context.new_page()
        devtools = await context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        opened = Window(f"http://localhost:{address.port}", context, page)
        opened.watch()
        windows.append(opened)
        return opened

    yield open_named
    for opened in windows:
        await opened.context.close()
    for opened in windows:
        opened.check()


@pytest.fixture(scope="module")
async def worker(served: Served) -> AsyncIterator[None]:
    """Answers questions, as `python -m app worker` does."""
    model = model_of(served.settings)
    working = asyncio.create_task(work(served.house, model))
    yield
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    await model.stop()


@pytest.fixture
async def book_id(served: Served) -> int:
    """A course book with two chapters."""
    title = f"Cells {next(topics)}"
    book = course(("Energy", CELLS), ("Growth", "Cells divide."), title=title)
    return await import_course(served, book)


@pytest.fixture(scope="session")
def axe_script() -> str:
    """axe-core, as the reference app's lock pins it."""
    return (SITE / "node_modules" / "axe-core" / "axe.min.js").read_text()
