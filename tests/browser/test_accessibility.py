"""axe-core finds no fault, in both themes, wide and narrow; keyboards reach everything."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenWindow
from tests.support.house import Person

pytestmark = pytest.mark.browser

NARROW = {"width": 360, "height": 740}
WIDE = {"width": 1440, "height": 900}
SHAPES = [("light", WIDE), ("dark", NARROW)]


@pytest.mark.parametrize(("scheme", "viewport"), SHAPES, ids=["light-wide", "dark-narrow"])
async def test_pages_have_no_fault_that_axe_can_find(
    window: OpenWindow,
    admin: Person,
    book_id: int,
    axe_script: str,
    scheme: str,
    viewport: dict[str, int],
) -> None:
    """Every page for everybody, WCAG 2.2 A and AA; none is wider than its screen."""
    visit = await window(admin, color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    book = f"/books/{book_id}"
    paths = ["/", book, f"{book}/read/1", "/tutor", "/moderation", "/admin/users", "/admin/audit"]
    faults = {}
    for path in [
        *paths,
        f"{book}/edit",
        "/account",
        "/login",
        "/signup",
        "/forgot",
        "/verify",
        "/reset#token=x",
        "/sign-in",
        "/nowhere",
    ]:
        await visit.open(path)
        await visit.is_live()
        await expect(visit.page.locator(".spinner")).to_have_count(0)
        found = await visit.axe(axe_script)
        wide = await visit.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        faults[path] = [*found, *([f"{wide} px too wide"] if wide > 0 else [])]
    assert {path: found for path, found in faults.items() if found} == {}


async def test_dialog_keeps_and_returns_the_focus(
    window: OpenWindow, learner: Person, book_id: int, axe_script: str
) -> None:
    """Opened and closed by keyboard; the focus comes back to where it was."""
    visit = await window(learner, f"/books/{book_id}")
    button = visit.page.get_by_role("main").get_by_role("button", name="Report")
    await button.press("Enter")
    await expect(visit.page.get_by_role("dialog")).to_be_visible()
    assert await visit.axe(axe_script) == []
    await visit.page.keyboard.press("Escape")
    await expect(visit.page.get_by_role("dialog")).to_have_count(0)
    await expect(button).to_be_focused()


async def test_skip_link_is_the_first_stop(window: OpenWindow) -> None:
    """A keyboard need not walk through the whole header on every page."""
    visit = await window()
    await visit.is_live()
    await visit.page.keyboard.press("Tab")
    await expect(visit.page.get_by_text("Skip to content")).to_be_focused()
