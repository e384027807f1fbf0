"""A browser window of one person: what a test does with it, and what it must never show."""

import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request

from tests.support.house import PASSWORD, Person

SETTLE = """() => Promise.all(
  document.getAnimations()
    .filter((one) => Number.isFinite(one.effect.getComputedTiming().endTime))
    .map((one) => one.finished.catch(() => null))
)"""
"""Colours in the middle of a movement are not those that a person reads."""


@dataclass
class Window:
    """One page in a context of its own, so that each person has their own cookies."""

    url: str
    context: BrowserContext
    page: Page
    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    """Parts of addresses whose failure the test itself brings about."""
    friends: list[str] = field(default_factory=list)
    """Other hosts that the person goes to; what a page of ours loads may not come from there."""

    def watch(self) -> None:
        """Write down errors, and whatever is loaded from elsewhere."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda fault: self.faults.append(f"exception: {fault}"))
        self.page.on("request", self._on_request)

    def check(self) -> None:
        """Nothing was logged as an error, nothing came from another host."""
        assert not self.faults, self.faults

    def _on_console(self, message: ConsoleMessage) -> None:
        where = message.location["url"]
        is_expected = any(part in where for part in self.expected)
        if message.type == "error" and not is_expected:
            self.faults.append(f"console: {message.text} ({where})")

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        is_visit = request.is_navigation_request() and address.netloc in self.friends
        is_theirs = urlsplit(self.page.url).netloc in self.friends
        if is_visit or is_theirs:
            return
        if address.scheme in {"http", "https"} and address.netloc != urlsplit(self.url).netloc:
            self.faults.append(f"foreign: {request.url}")

    async def open(self, path: str) -> None:
        """Go there as a typed address."""
        await self.page.goto(self.url + path)

    async def sign_in(self, who: Person, path: str = "/") -> None:
        """Through the door, then on to a page."""
        await self.open(f"/login?next={path}")
        await self.page.get_by_label("E-mail").fill(who.email)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("main").get_by_role("button", name="Log in").click()
        await self.page.locator(".corner").wait_for()
        await self.is_live()

    async def is_live(self) -> None:
        """The socket is connected."""
        await self.page.locator(".lamp[data-state=live]").wait_for()

    async def axe(self, script: str) -> list[str]:
        """Serious faults of accessibility that axe-core finds on the page as it stands."""
        await self.page.evaluate(script)
        await self.page.evaluate(SETTLE)
        found = await self.page.evaluate(
            "axe.run({resultTypes: ['violations'],"
            " runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})"
        )
        return [
            f"{violation['id']}: {json.dumps([node['html'] for node in violation['nodes']][:3])}"
            for violation in found["violations"]
        ]
