"""Two who come for the first time with one address at once: by providers, by a password, by a move.

The address is one account's, whichever commits first, and nobody is let in by halves.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

import httpx
import pytest
from asyncpg import Connection

from app.accounts.queries import mail_tokens
from app.accounts.schemas import Admission, LinkBySignIn, Purpose
from app.infra.db import Database
from app.infra.federation import Vouched
from app.kit.clock import now
from app.kit.principal import Method
from tests.realtime.waiting import until
from tests.support.house import PASSWORD
from tests.support.mailed import SIGNUP, new_email
from tests.support.problems import code_of
from tests.support.world import HERE, World

OPENED = "INSERT INTO users (email, password_hash, email_verified_at) VALUES ($1, $2, $3)"
LINKS = """
SELECT u.id, u.password_hash, count(i.id) AS links
FROM users u LEFT JOIN identities i ON i.user_id = u.id WHERE u.email = $1 GROUP BY u.id
"""
STANDS = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database()
"""
WEEK_S = 604_800


def google(world: World, email: str, subject: str = "") -> Coroutine[Any, Any, Admission]:
    """Come in as whom the provider vouches for."""
    who = Vouched(subject or f"subject of {email}", email, is_verified=True, name="Ada")
    return world.house.identities.enter("google", who, HERE)


def sign_up(world: World, email: str) -> Coroutine[Any, Any, httpx.Response]:
    """Open an account with a password."""
    return world.http.post(SIGNUP, json={"email": email, "password": PASSWORD})


async def stands(db: Database) -> bool:
    """Whether some statement waits for a lock."""
    async with db.pool.acquire() as connection:
        return bool(await connection.fetchval(STANDS))


async def rows(world: World, email: str) -> list[tuple[bool, int]]:
    """Of each account with this address: whether it has a password, and its links."""
    found = await world.db.fetch(LINKS, email)
    return [(row["password_hash"] is not None, row["links"]) for row in found]


class TestTwoProviders:
    async def test_one_address_is_one_account(self, world: World) -> None:
        """Several accounts elsewhere, all vouched for with the same address, at the same moment."""
        email = new_email()
        coming = (google(world, email, f"{n} {email}") for n in range(6))
        admissions = await asyncio.gather(*coming)
        assert len({admission.user.id for admission in admissions if admission.user}) == 1
        assert await rows(world, email) == [(False, 6)]

    async def test_second_waits_for_the_first(self, world: World) -> None:
        """Whose account is being opened is joined once it is there."""
        email = new_email()
        async with world.db.pool.acquire() as other, other.transaction():
            await other.execute(OPENED, email, None, now())
            coming = asyncio.create_task(google(world, email), context=Context())
            await until(lambda: stands(world.db))
        admission = await coming
        assert admission.token is not None
        assert await rows(world, email) == [(False, 1)]

    async def test_one_that_is_rolled_back_leaves_the_address_free(self, world: World) -> None:
        """The second opens the account then."""
        email = new_email()
        async with world.db.pool.acquire() as other:
            opening = other.transaction()
            await opening.start()
            await other.execute(OPENED, email, None, now())
            coming = asyncio.create_task(google(world, email), context=Context())
            await until(lambda: stands(world.db))
            await opening.rollback()
        assert (await coming).token is not None
        assert await rows(world, email) == [(False, 1)]


class TestProviderAndPassword:
    async def test_whichever_comes_first_has_the_address(self, world: World) -> None:
        """A person with a provider and somebody with a password at once: one account, and the
        other is told; a password is never joined to a stranger's confirmed account."""
        for _ in range(5):
            email = new_email()
            came, answer = await asyncio.gather(
                google(world, email), sign_up(world, email), return_exceptions=True
            )
            assert isinstance(answer, httpx.Response)
            if isinstance(came, Admission):
                assert code_of(answer) == (409, "email-taken")
                assert await rows(world, email) == [(False, 1)]
            else:
                assert isinstance(came, LinkBySignIn)
                assert answer.status_code == 201
                assert await rows(world, email) == [(True, 0)]

    async def test_password_first(self, world: World) -> None:
        """Nobody has confirmed the address: the provider's word does not open it."""
        email = new_email()
        async with world.db.pool.acquire() as other, other.transaction():
            await other.execute(OPENED, email, "a hash", None)
            coming = asyncio.create_task(google(world, email), context=Context())
            await until(lambda: stands(world.db))
        with pytest.raises(LinkBySignIn):
            await coming
        assert await rows(world, email) == [(True, 0)]

    async def test_provider_first(self, world: World) -> None:
        """The password that comes second is nobody's."""
        email = new_email()
        async with world.db.pool.acquire() as other, other.transaction():
            await other.execute(OPENED, email, None, now())
            coming = asyncio.create_task(sign_up(world, email), context=Context())
            await until(lambda: stands(world.db))
        assert code_of(await coming) == (409, "email-taken")
        assert await rows(world, email) == [(False, 0)]


class TestHeldAddress:
    """An account was moved away, and its former mailbox may still take it back."""

    async def test_provider_opens_no_account_there(self, world: World) -> None:
        """Else whoever moved it would keep it by another account at its former address."""
        someone = await world.someone()
        email = someone.principal.email
        async with world.db.transaction() as tx:
            await move(tx, someone.id, email)
        with pytest.raises(LinkBySignIn):
            await google(world, email)
        assert await rows(world, email) == []

    @pytest.mark.parametrize("door", ["provider", "password"])
    async def test_not_even_while_it_is_being_moved(self, world: World, door: str) -> None:
        """Whoever comes waits for the move, and is refused after it."""
        someone = await world.someone()
        email = someone.principal.email
        async with world.db.pool.acquire() as other, other.transaction():
            await move(other, someone.id, email)
            coming = google(world, email) if door == "provider" else sign_up(world, email)
            task: asyncio.Task[Any] = asyncio.create_task(coming, context=Context())
            await until(lambda: stands(world.db))
        if door == "provider":
            with pytest.raises(LinkBySignIn):
                await task
        else:
            assert code_of(await task) == (409, "email-taken")
        assert await rows(world, email) == []

    async def test_link_from_before_lets_its_owner_in(self, world: World) -> None:
        """It is known by its subject: the address decides nothing."""
        email = new_email()
        first = await google(world, email)
        assert first.user is not None
        async with world.db.transaction() as tx:
            await move(tx, first.user.id, email)
        again = await google(world, email)
        assert again.user is not None
        assert again.user.id == first.user.id

    async def test_account_that_comes_back_meanwhile(self, world: World) -> None:
        """Undoing the move and opening an account at once: the account that was there wins."""
        someone = await world.someone()
        email = someone.principal.email
        async with world.db.transaction() as tx:
            await move(tx, someone.id, email)
        async with world.db.pool.acquire() as other, other.transaction():
            await mail_tokens.delete_tokens_of(other, someone.id)
            await other.execute("UPDATE users SET email = $2 WHERE id = $1", someone.id, email)
            coming = asyncio.create_task(google(world, email), context=Context())
            await until(lambda: stands(world.db))
        admission = await coming
        assert admission.user is not None
        assert admission.user.id == someone.id
        principal = await world.house.sessions.principal_by_token(admission.token or "")
        assert principal is not None
        assert principal.methods == (Method.FEDERATED,)


async def move(tx: Connection, user_id: int, email: str) -> None:
    """Another address, and a week in which the former one may take the account back."""
    await tx.execute("UPDATE users SET email = $2 WHERE id = $1", user_id, new_email())
    secret = f"undo {user_id}".encode()
    ends = await tx.fetchval("SELECT now() + make_interval(secs => $1)", float(WEEK_S))
    await mail_tokens.replace_token(tx, secret, Purpose.UNDO, user_id, email, ends)
