"""How fast a right ends: every connection of every process, by every door, within a second (S2)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from app.kit.principal import Role
from tests.security.test_sockets import cookie_of, realtime_token
from tests.story.wire import Wire, connected, opened
from tests.support.doors import DOORS, HELLO, Door, Visitor, knock
from tests.support.hostile import masked_text
from tests.support.house import PASSWORD, MakePerson, Person, Served
from tests.support.processes import AppProcess
from tests.support.report import Report
from tests.unit.test_cli import run

pytestmark = pytest.mark.chaos
REVOKED_WITHIN_S = 1.0
NEW_PASSWORD = "another-good-password"


@pytest.fixture(scope="module")
async def other_url(served: Served, app_environment: dict[str, str]) -> AsyncIterator[str]:
    """A second process of the same house."""
    with AppProcess.serve(app_environment) as other:
        await asyncio.to_thread(other.wait_ready)
        yield other.url


async def log_out(someone: Person, _admin: Person) -> None:
    """The person's own act."""
    (await someone.http.post("/api/v1/auth/logout")).raise_for_status()


async def change_password(someone: Person, _admin: Person) -> None:
    """Every session ends, also the one that asked."""
    form = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    (await someone.http.put("/api/v1/auth/password", json=form)).raise_for_status()


async def ban(someone: Person, admin: Person) -> None:
    """An admin's act."""
    answer = await admin.http.post(f"/api/v1/users/{someone.id}/deactivate", json={})
    answer.raise_for_status()


async def lose_role(someone: Person, admin: Person) -> None:
    """A moderator becomes a reader."""
    answer = await admin.http.put(f"/api/v1/users/{someone.id}/role", json={"role": "user"})
    answer.raise_for_status()


async def sign_out(someone: Person, admin: Person) -> None:
    """An admin ends all of somebody's sessions."""
    (await admin.http.post(f"/api/v1/users/{someone.id}/sign-out", json={})).raise_for_status()


Act = Callable[[Person, Person], Awaitable[None]]
acts = pytest.mark.parametrize("act", [log_out, change_password, ban, lose_role, sign_out])


async def come_in(stack: AsyncExitStack, url: str, door: Door, person: Person) -> Visitor:
    """Be connected by a door with the cookie, as the person."""
    headers = [("cookie", cookie_of(person)["cookie"]), ("origin", url)]
    visitor = await stack.enter_async_context(knock(url, door, headers))
    if door.is_socket:
        visitor.writer.write(masked_text("{}" if "uni_" in door.path else HELLO.decode()))
    async with asyncio.timeout(REVOKED_WITHIN_S * 10):
        while b'"client"' not in visitor.said():
            visitor.answer += await visitor.reader.read(65_536)
    return visitor


async def by_token(stack: AsyncExitStack, url: str, person: Person) -> Wire:
    """Be connected with a token, as programs are, and hear what only this person may."""
    wire = await stack.enter_async_context(connected(url, await realtime_token(person)))
    await wire.subscribe(f"user:{person.id}")
    if person.role is Role.MODERATOR:
        await wire.subscribe("moderation:queue")
    return wire


@acts
async def test_v7_4_2_v8_3_2_every_connection_of_every_process_ends(
    served: Served, other_url: str, person: MakePerson, admin: Person, act: Act
) -> None:
    """All doors of both processes; the neighbour's connections stay."""
    someone, neighbour = await person(Role.MODERATOR), await person(Role.MODERATOR)
    report = Report(f"S2-{act.__name__}")
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        urls = (served.url, other_url)
        visitors = [await come_in(stack, url, door, someone) for url in urls for door in DOORS]
        wires = [await by_token(stack, url, someone) for url in urls]
        strangers = [await by_token(stack, url, neighbour) for url in urls]
        ends = [visitor.to_the_end() for visitor in visitors] + [wire.closed() for wire in wires]
        waiting = [asyncio.ensure_future(end) for end in ends]
        await act(someone, admin)
        begun = loop.time()
        done, late = await asyncio.wait(waiting, timeout=10 * REVOKED_WITHIN_S)
        report.clients = len(waiting)
        report.extra = {"late": len(late), "closed_s": round(loop.time() - begun, 3)}
        report.demand("all within a second", loop.time() - begun <= REVOKED_WITHIN_S)
        report.demand(
            "everybody's end is known", not late and not [d for d in done if d.exception()]
        )
        for wire in strangers:
            report.demand("the neighbour stays", "error" not in await wire.command(ping={}))
    report.conclude()


@pytest.mark.parametrize("act", [log_out, change_password, ban, sign_out])
async def test_v7_4_1_an_old_token_opens_nothing_anywhere(
    served: Served, other_url: str, person: MakePerson, admin: Person, act: Act
) -> None:
    """A token of `/realtime/token` lives a minute; its session ended before."""
    someone = await person()
    token = await realtime_token(someone)
    await act(someone, admin)
    for url in (served.url, other_url):
        with pytest.raises((ConnectionError, ConnectionClosed)):
            async with connected(url, token):
                pytest.fail("a token of an ended session was accepted")


async def test_v7_2_4_former_token_of_a_renewed_session_opens_nothing_anywhere(
    served: Served, other_url: str, person: MakePerson
) -> None:
    """A fresh proof gives the session another token: a socket with the former one is nobody's at
    once, though both processes knew it a moment ago; what it had opened before stays."""
    someone = await person()
    form = {"method": "password", "password": PASSWORD}
    async with AsyncExitStack() as stack:
        urls = (served.url, other_url)
        before = [await stack.enter_async_context(by_cookie(url, someone)) for url in urls]
        (await someone.http.post("/api/v1/auth/confirm", json=form)).raise_for_status()
        for url in urls:
            async with by_cookie(url, someone) as wire:
                await wire.command(connect={})
                reply = await wire.command(subscribe={"channel": f"user:{someone.id}"})
                assert reply["error"]["code"] == 101
        for wire in before:
            await wire.command(connect={})
            assert "subscribe" in await wire.command(subscribe={"channel": f"user:{someone.id}"})


def by_cookie(url: str, person: Person) -> AbstractAsyncContextManager[Wire]:
    """A socket as a page of ours opens it."""
    return opened(url, additional_headers=cookie_of(person), origin=url)


async def test_v8_3_2_what_was_lost_is_not_given_again(
    served: Served, other_url: str, person: MakePerson, admin: Person
) -> None:
    """Who comes back after a role was taken finds its door shut, in both processes."""
    someone = await person(Role.MODERATOR)
    await lose_role(someone, admin)
    async with httpx.AsyncClient(base_url=served.url) as client:
        form = {"email": someone.email, "password": PASSWORD, "transport": "bearer"}
        token = (await client.post("/api/v1/auth/login", json=form)).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        fresh = (await client.get("/api/v1/realtime/token", headers=headers)).json()["token"]
    for url in (served.url, other_url):
        async with connected(url, fresh) as wire:
            reply = await wire.command(subscribe={"channel": "moderation:queue"})
            assert reply["error"]["code"] == 103


async def test_v8_3_2_role_given_at_the_command_line_ends_the_persons_sockets(
    served: Served, person: MakePerson, app_environment: dict[str, str]
) -> None:
    """The operator's process has no sockets of its own; those of the servers end."""
    someone = await person()
    order = ("admin", "account", someone.email, "--role", "moderator")
    async with connected(served.url, await realtime_token(someone)) as wire:
        done = await asyncio.to_thread(run, app_environment, *order, said=f"{PASSWORD}\n")
        assert done.returncode == 0, done.stderr
        assert await asyncio.wait_for(wire.closed(), REVOKED_WITHIN_S) == 3503
