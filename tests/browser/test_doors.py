"""Coming in and going out, language and theme, and who may see what."""

import asyncio
import re
from contextlib import suppress

import pytest
from playwright.async_api import Route, expect

from app.kit.principal import Role
from tests.browser.conftest import OpenWindow
from tests.support.house import MakePerson, Person, Served

pytestmark = pytest.mark.browser
LEFT_S = 4


async def test_login_and_logout(window: OpenWindow, learner: Person) -> None:
    """One comes in, stays in over a reload, and goes out; the socket changes with the person."""
    visit = await window(learner, "/")
    await visit.page.reload()
    await expect(visit.page.locator(".corner")).to_be_visible()
    await visit.page.get_by_role("button", name="Log out").click()
    await expect(visit.page.get_by_role("link", name="Log in")).to_be_visible()
    await visit.is_live()


async def test_socket_goes_before_the_session(window: OpenWindow, learner: Person) -> None:
    """Else what the page still opens would be said on a socket that the server is closing."""
    visit = await window(path="/login")
    gone, went_first = asyncio.Event(), []
    visit.page.on("websocket", lambda socket: socket.on("close", lambda _: gone.set()))

    async def hold(route: Route) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(gone.wait(), LEFT_S)
        went_first.append(gone.is_set())
        await route.continue_()

    await visit.page.route("**/api/v1/auth/logout", hold)
    await visit.sign_in(learner)
    gone.clear()  # of the one before the sign-in
    await visit.page.get_by_role("button", name="Log out").click()
    await expect(visit.page.get_by_role("link", name="Log in")).to_be_visible()
    assert went_first == [True]
    await visit.is_live()


async def test_wrong_password_is_told(window: OpenWindow, learner: Person) -> None:
    """The answer names the remedy and keeps the address."""
    visit = await window(path="/login")
    visit.expected.append("/auth/login")
    await visit.page.get_by_label("E-mail").fill(learner.email)
    await visit.page.get_by_label("Password").fill("not the password")
    await visit.page.get_by_role("main").get_by_role("button", name="Log in").click()
    await expect(visit.page.get_by_role("alert")).to_contain_text("E-mail or password is not right")
    await expect(visit.page.get_by_label("E-mail")).to_have_value(learner.email)


async def test_ended_session_is_said(
    window: OpenWindow, person: MakePerson, served: Served
) -> None:
    """A page that only listens never looks live on behalf of nobody."""
    moderator = await person(Role.MODERATOR)
    visit = await window(moderator, "/moderation")
    limit_s = served.settings.staff_session_absolute_s - LEFT_S
    await served.house.db.execute(
        "UPDATE sessions SET created_at = now() - make_interval(secs => $2) WHERE user_id = $1",
        moderator.id,
        float(limit_s),
    )
    await visit.page.reload()
    door = visit.page.get_by_role("banner").get_by_role("link", name="Log in")
    await expect(door).to_be_visible(timeout=20_000)


async def test_login_leads_nowhere_else(window: OpenWindow, learner: Person) -> None:
    """A link into the door cannot send a person to another site afterwards."""
    visit = await window(learner, "//evil.example/")
    await expect(visit.page).to_have_url(f"{visit.url}/")


async def test_signup_brings_one_in(window: OpenWindow) -> None:
    """A new account is signed in at once where no mail is demanded."""
    visit = await window(path="/signup")
    await visit.page.get_by_label("Name").fill("Sari")
    await visit.page.get_by_label("E-mail").fill("sari.browser@example.org")
    await visit.page.get_by_label("Password").fill("a-long-enough-word")
    await visit.page.get_by_role("button", name="Create an account").click()
    await expect(visit.page.locator(".avatar")).to_have_text("S")


async def test_language_is_switched_and_remembered(window: OpenWindow) -> None:
    """Indonesian at once, and again after a reload."""
    visit = await window()
    await visit.page.get_by_label("Language").first.select_option("id")
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("Perpustakaan")
    await visit.page.reload()
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("Perpustakaan")
    await expect(visit.page.locator("html")).to_have_attribute("lang", "id")


async def test_browser_language_is_the_first_guess(window: OpenWindow) -> None:
    """An Indonesian browser is greeted in Indonesian."""
    visit = await window(locale="id-ID")
    await expect(visit.page.get_by_role("link", name="Perpustakaan")).to_be_visible()


async def test_theme_is_switched_and_remembered(window: OpenWindow) -> None:
    """System, light, dark; the choice is there before the first paint."""
    visit = await window()
    for _ in range(2):
        await visit.page.get_by_role("button", name=re.compile("Theme")).click()
    await visit.page.reload()
    await expect(visit.page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize("path", ["/moderation", "/admin/users", "/books/new"])
async def test_closed_rooms_say_so(window: OpenWindow, learner: Person, path: str) -> None:
    """An ordinary user learns that the room is closed, a stranger that one must log in."""
    visit = await window(learner, path)
    await expect(visit.page.get_by_text("Your account may not see this page.")).to_be_visible()
    stranger = await window(path=path)
    await expect(stranger.page.get_by_text("Please log in to see this page.")).to_be_visible()


async def test_teacher_adds_changes_and_removes_a_book(
    window: OpenWindow, person: MakePerson
) -> None:
    """The whole life of a record."""
    visit = await window(await person(Role.TEACHER), "/books/new")
    await visit.page.get_by_label("Title").fill("A Book of Winds")
    await visit.page.get_by_label("Year").fill("1901")
    await visit.page.get_by_role("button", name="Save").click()
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("A Book of Winds")
    await visit.page.get_by_role("link", name="Edit").click()
    await visit.page.get_by_label("Title").fill("A Book of Tides")
    await visit.page.get_by_role("button", name="Save").click()
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("A Book of Tides")
    await visit.page.get_by_role("link", name="Edit").click()
    await visit.page.get_by_role("button", name="Delete").click()
    await visit.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(visit.page).to_have_url(f"{visit.url}/")


async def test_admin_changes_a_role(window: OpenWindow, person: MakePerson, admin: Person) -> None:
    """The list shows the new role, and the person is told by what they may do."""
    promoted = await person(name="Wati Baru")
    visit = await window(admin, "/admin/users")
    await visit.page.get_by_label("Search by name or e-mail").fill("Wati Baru")
    await visit.page.get_by_label("Search by name or e-mail").press("Enter")
    await visit.page.get_by_label("Role of Wati Baru").select_option("teacher")
    await expect(visit.page.get_by_text("Wati Baru is now: Teacher.")).to_be_visible()
    me = (await promoted.http.get("/api/v1/users/me")).json()
    assert me.get("role", "teacher") == "teacher"
