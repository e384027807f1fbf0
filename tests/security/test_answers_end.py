"""An answer that is still being read ends with the right to it, as sockets do (S2)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from app.kit.principal import Role
from tests.security.test_revocation import (
    REVOKED_WITHIN_S,
    Act,
    ban,
    change_password,
    log_out,
    lose_role,
    other_url,
    sign_out,
)
from tests.support.house import PASSWORD, MakePerson, Person, Served
from tests.support.mailbox import Mailbox
from tests.support.mailed import MAGIC, NEW_PASSWORD, RESET, SIGNUP, V1, ask, new_email
from tests.support.problems import code_of
from tests.support.tutor import until

__all__ = ["other_url"]
CHAT, KEYS = f"{V1}/chat", f"{V1}/auth/api-keys"
QUIET = b": quiet"


def bearer(token: str) -> dict[str, str]:
    """The headers of a program that reads events."""
    return {"authorization": f"Bearer {token}", "accept": "text/event-stream"}


@asynccontextmanager
async def asking(url: str, token: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """A question whose answer nobody has begun: the reader is kept waiting."""
    form = {"message": "Why do cells need energy?"}
    async with (
        httpx.AsyncClient(base_url=url, headers=bearer(token), timeout=20) as http,
        http.stream("POST", CHAT, json=form) as answer,
    ):
        assert answer.status_code == 200
        parts = answer.aiter_raw()
        assert QUIET in await anext(parts)
        yield parts


async def to_the_end(parts: AsyncIterator[bytes]) -> None:
    """Read until the server ends it."""
    async for _ in parts:
        pass


@pytest.mark.parametrize("act", [log_out, change_password, ban, sign_out, lose_role])
async def test_v7_4_1_streams_of_every_process_end_with_the_session(
    served: Served, other_url: str, person: MakePerson, admin: Person, act: Act
) -> None:
    """Within a second; the neighbour reads on."""
    someone, neighbour = await person(Role.MODERATOR), await person()
    async with AsyncExitStack() as stack:
        urls = (served.url, other_url)
        mine = [await stack.enter_async_context(asking(url, someone.token)) for url in urls]
        theirs = await stack.enter_async_context(asking(served.url, neighbour.token))
        await act(someone, admin)
        async with asyncio.timeout(REVOKED_WITHIN_S):
            await asyncio.gather(*(to_the_end(parts) for parts in mine))
        assert QUIET in await anext(theirs)


async def test_v7_4_1_stream_ends_with_the_api_key(served: Served, person: MakePerson) -> None:
    """A program that is read to has its key revoked."""
    someone = await person()
    form = {"name": "Script", "scopes": ["chat:use"]}
    made = (await someone.http.post(KEYS, json=form)).raise_for_status().json()
    async with asking(served.url, made["key"]) as parts:
        await someone.http.delete(f"{KEYS}/{made['api_key']['id']}")
        async with asyncio.timeout(REVOKED_WITHIN_S):
            await to_the_end(parts)


@pytest.mark.parametrize(("door", "page"), [(RESET, "/reset"), (MAGIC, "/sign-in")])
async def test_v7_4_1_stream_ends_with_the_first_proof_of_the_mailbox(
    served: Served, mailbox: Mailbox, door: str, page: str
) -> None:
    """A stranger signed up with somebody's address and made a key, which ends as its owner comes:
    its program hears of it as at once as of a revoked one."""
    email = new_email()
    origin = {"origin": served.url}
    async with httpx.AsyncClient(base_url=served.url, headers=origin, timeout=20) as stranger:
        signed = await stranger.post(SIGNUP, json={"email": email, "password": PASSWORD})
        cookie = {"cookie": signed.headers["set-cookie"].partition(";")[0]}
        form = {"name": "Script", "scopes": ["chat:use"]}
        made = (await stranger.post(KEYS, json=form, headers=cookie)).raise_for_status().json()
        await ask(stranger, door, email)
        use = {"token": await mailbox.token(email, page)}
        async with asking(served.url, made["key"]) as parts:
            use |= {"password": NEW_PASSWORD} if door == RESET else {}
            (await stranger.post(door, json=use)).raise_for_status()
            async with asyncio.timeout(REVOKED_WITHIN_S):
                await to_the_end(parts)


async def test_v7_4_1_whoever_waits_for_the_whole_answer_is_told(
    person: MakePerson, admin: Person
) -> None:
    """The answer would come up to two minutes later."""
    someone = await person()
    form = {"message": "Why do cells need energy?"}
    waiting = asyncio.create_task(someone.http.post(CHAT, json=form, timeout=20))

    async def asked() -> bool:
        talks = (await someone.http.get(f"{CHAT}/conversations")).json()
        return bool(talks["items"])

    await until(asked)
    await sign_out(someone, admin)
    async with asyncio.timeout(REVOKED_WITHIN_S):
        assert code_of(await waiting) == (401, "unauthorized")
