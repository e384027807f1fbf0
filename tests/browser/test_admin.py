"""The admins' desk in the browser: visits in somebody's name, closures, the audit log; API keys."""

import time

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.window import Window
from tests.support.house import PASSWORD, MakePerson, Person

pytestmark = pytest.mark.browser
TOLD_WITHIN_S = 1.0


async def find(desk: Window, name: str) -> None:
    """Search the list of people until one is left."""
    await desk.page.get_by_label("Search by name or e-mail").fill(name)
    await desk.page.get_by_label("Search by name or e-mail").press("Enter")
    await expect(desk.page.locator(".person")).to_have_count(1)


async def test_visit_in_somebodys_name(
    window: OpenWindow, person: MakePerson, admin: Person
) -> None:
    """A banner over every page, the person told within a second, and the way back."""
    someone = await person(name="Wati Dilihat")
    there, desk = await window(someone, "/account"), await window(admin, "/admin/users")
    await find(desk, "Wati Dilihat")
    await desk.page.get_by_label("More for Wati Dilihat").click()
    await desk.page.get_by_role("button", name="Enter as this person").click()
    await desk.page.get_by_label("Why?").fill("Ticket 17")
    await desk.page.get_by_role("button", name="Enter", exact=True).click()
    entered = time.monotonic()
    await expect(there.page.get_by_text("An admin has entered in your name")).to_be_visible()
    assert time.monotonic() - entered < TOLD_WITHIN_S * 2
    banner = desk.page.get_by_text("You are here as Wati Dilihat.")
    await expect(banner).to_be_visible()
    await desk.is_live()
    for path in ("/account", "/tutor"):
        await desk.open(path)
        await expect(banner).to_be_visible()
    await there.page.reload()
    await expect(there.page.get_by_text("by an admin")).to_be_visible()
    await desk.page.get_by_role("button", name="Back to my own account").click()
    await expect(banner).to_be_hidden()
    await expect(desk.page.locator(".person").first).to_be_visible()
    await desk.is_live()
    await there.page.reload()
    await expect(there.page.get_by_text("this browser")).to_be_visible()
    await expect(there.page.get_by_text("by an admin")).to_be_hidden()


async def test_person_ends_the_visit(window: OpenWindow, person: MakePerson, admin: Person) -> None:
    """Sent away from the list of sessions, the admin's page says so within a second."""
    someone = await person(name="Tono Menolak")
    there, desk = await window(someone, "/account"), await window(admin, "/admin/users")
    await find(desk, "Tono Menolak")
    await desk.page.get_by_label("More for Tono Menolak").click()
    await desk.page.get_by_role("button", name="Enter as this person").click()
    await desk.page.get_by_label("Why?").fill("Ticket 18")
    await desk.page.get_by_role("button", name="Enter", exact=True).click()
    await expect(desk.page.get_by_text("You are here as Tono Menolak.")).to_be_visible()
    await desk.is_live()
    await there.page.reload()
    visit = there.page.locator(".device", has_text="by an admin")
    await visit.get_by_role("button").click()
    ended = time.monotonic()
    await expect(desk.page.get_by_text("Your session has ended.")).to_be_visible()
    assert time.monotonic() - ended < TOLD_WITHIN_S
    await expect(desk.page.get_by_text("You are here as Tono Menolak.")).to_be_hidden()


async def test_account_is_closed_for_a_time(
    window: OpenWindow, person: MakePerson, admin: Person
) -> None:
    """With reason and end in the list, and at the door after the right password."""
    someone = await person(name="Rudi Ditutup")
    desk = await window(admin, "/admin/users")
    await find(desk, "Rudi Ditutup")
    await desk.page.get_by_role("button", name="Deactivate").click()
    await desk.page.get_by_label("Reason").fill("Spam")
    await desk.page.get_by_label("Closed until").fill("2999-01-02T03:04")
    await desk.page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    await expect(desk.page.get_by_text("Closed: Spam")).to_be_visible()
    await desk.page.locator("select[name=status]").select_option("Closed")
    await expect(desk.page.locator(".person")).to_have_count(1)
    door = await window(path="/login")
    door.expected.append("/auth/login")
    await door.page.get_by_label("E-mail").fill(someone.email)
    await door.page.get_by_label("Password").fill(PASSWORD)
    await door.page.get_by_role("main").get_by_role("button", name="Log in").first.click()
    told = door.page.get_by_text("This account is closed until Jan 2, 2999")
    await expect(told).to_contain_text("Reason: Spam")


async def test_audit_log_is_searched_and_checked(window: OpenWindow, admin: Person) -> None:
    """The chain's state in words, and the deeds that fit the search."""
    desk = await window(admin, "/admin/audit")
    await desk.page.get_by_role("button", name="Check the whole chain").click()
    await expect(desk.page.get_by_text("Intact:")).to_be_visible()
    await desk.page.get_by_label("Action").fill("no.such-thing")
    await desk.page.get_by_role("button", name="Show", exact=True).click()
    await expect(desk.page.get_by_text("No entry fits.")).to_be_visible()
    await desk.page.get_by_label("Action").fill("")
    await desk.page.get_by_role("button", name="Show", exact=True).click()
    await expect(desk.page.locator(".ledger tbody tr").first).to_be_visible()


async def test_api_key_is_made_used_and_revoked(
    window: OpenWindow, person: MakePerson, nobody: httpx.AsyncClient
) -> None:
    """Shown once, good for its scope, and worth nothing afterwards."""
    someone = await person()
    desk = await window(someone, "/account")
    await desk.page.locator("input[name=key_name]").fill("My script")
    await desk.page.get_by_role("button", name="Make a key").click()
    await expect(desk.page.get_by_text("Choose at least one thing")).to_be_visible()
    await desk.page.get_by_label("ask the tutor").check()
    await desk.page.get_by_role("button", name="Make a key").click()
    key = await desk.page.locator(".secret__text").inner_text()
    headers = {"authorization": f"Bearer {key}"}
    url = "/api/v1/chat/conversations"
    assert (await nobody.get(url, headers=headers)).status_code == 200
    await desk.page.get_by_role("button", name="I have kept it").click()
    await expect(desk.page.get_by_text(key)).to_be_hidden()
    await desk.page.get_by_role("button", name="Revoke My script").click()
    await desk.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(desk.page.get_by_text("The key is revoked.")).to_be_visible()
    assert (await nobody.get(url, headers=headers)).status_code == 401
