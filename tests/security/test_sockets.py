"""Who is behind a socket, what they may hear, and that it ends with its session (S2)."""

import asyncio

import httpx
import pytest

from app.http.sessions import COOKIE_NAME
from app.settings import Settings
from tests.story.wire import connected, opened
from tests.support.house import PASSWORD, MakePerson, Person, Served, serve, with_settings

IDLE_S = 2
ENDED_WITHIN_S = 8


def cookie_of(person: Person) -> dict[str, str]:
    """The session as a browser sends it."""
    return {"cookie": f"{COOKIE_NAME}={person.token}"}


async def realtime_token(person: Person) -> str:
    """A token for `connect`."""
    answer = await person.http.get("/api/v1/realtime/token")
    token: str = answer.raise_for_status().json()["token"]
    return token


class TestOpening:
    async def test_v4_4_2_own_origin_with_cookie_is_the_person(
        self, served: Served, learner: Person
    ) -> None:
        """A browser on our own page needs no token."""
        headers = cookie_of(learner)
        async with opened(served.url, additional_headers=headers, origin=served.url) as wire:
            assert "connect" in await wire.command(connect={})
            own = await wire.command(subscribe={"channel": f"user:{learner.id}"})
            assert "subscribe" in own

    async def test_v4_4_3_cookie_without_origin_is_ignored(
        self, served: Served, learner: Person
    ) -> None:
        """A program with somebody's cookie must show a token."""
        async with opened(served.url, additional_headers=cookie_of(learner)) as wire:
            reply = await wire.command(connect={})
            assert reply["error"]["code"] == 101


class TestListening:
    @pytest.mark.parametrize(
        ("channel", "code"),
        [
            ("moderation:queue", 103),
            ("nonsense", 102),
            ("nonsense:1", 102),
            ("book:2147483647", 404),
            ("book:abc", 404),
            ("chat:01m81tx2y6je7kmthcb0t8a2zy", 404),
            ("chat:\x00", 102),
            ("user:2147483647", 404),
        ],
    )
    async def test_learner_is_refused(
        self, served: Served, learner: Person, channel: str, code: int
    ) -> None:
        """Absent and foreign channels look the same; staff's are forbidden; the rest is unknown."""
        async with connected(served.url, await realtime_token(learner)) as wire:
            reply = await wire.command(subscribe={"channel": channel})
            assert reply["error"]["code"] == code

    @pytest.mark.parametrize("channel", ["moderation:queue", "chat:x", "user:1"])
    async def test_nobody_hears_only_books(self, served: Served, channel: str) -> None:
        """Without a session there is an empty user, and error 101 for everything but books."""
        async with connected(served.url, "") as wire:
            reply = await wire.command(subscribe={"channel": channel})
            assert reply["error"]["code"] == 101

    async def test_nobody_calls_a_method(self, served: Served) -> None:
        """rpc is for signed-in people."""
        async with connected(served.url, "") as wire:
            reply = await wire.command(rpc={"method": "chat.send", "data": {"message": "Hi"}})
            assert reply["error"]["code"] == 101

    async def test_unknown_method_is_104(self, served: Served, learner: Person) -> None:
        """A typing error is told as such."""
        async with connected(served.url, await realtime_token(learner)) as wire:
            reply = await wire.command(rpc={"method": "chat.sned", "data": {}})
            assert reply["error"]["code"] == 104

    async def test_clients_publish_nothing(self, served: Served, learner: Person) -> None:
        """Facts are made by verbs, never by raw events."""
        async with connected(served.url, await realtime_token(learner)) as wire:
            reply = await wire.command(publish={"channel": "book:1", "data": {"likes": 99}})
            assert reply["error"]["code"] == 103


class TestSessionsEnd:
    async def test_v7_3_1_socket_ends_with_its_idle_session(
        self, settings: Settings, learner: Person
    ) -> None:
        """Staff's half hour and the absolute end hold for whoever only listens, too."""
        async with serve(with_settings(settings, session_idle_s=IDLE_S)) as brief:
            form = {"email": learner.email, "password": PASSWORD, "transport": "bearer"}
            async with httpx.AsyncClient(base_url=brief.url) as client:
                answer = await client.post("/api/v1/auth/login", json=form)
            headers = {"cookie": f"{COOKIE_NAME}={answer.json()['token']}"}
            async with opened(brief.url, additional_headers=headers, origin=brief.url) as wire:
                assert "connect" in await wire.command(connect={})
                code = await asyncio.wait_for(wire.closed(), IDLE_S + ENDED_WITHIN_S)
                assert code == 3005
            async with opened(brief.url, additional_headers=headers, origin=brief.url) as wire:
                await wire.command(connect={})
                reply = await wire.command(subscribe={"channel": f"user:{learner.id}"})
                assert reply["error"]["code"] == 101

    async def test_token_client_is_told_when_its_session_ends(
        self, served: Served, learner: Person
    ) -> None:
        """It fetches a new token then, which an ended session does not get."""
        token = await realtime_token(learner)
        async with opened(served.url) as wire:
            reply = await wire.command(connect={"token": token})
        assert reply["connect"]["expires"]
        limit_s = served.settings.session_idle_s
        assert limit_s - 120 < reply["connect"]["ttl"] <= limit_s + 1


async def test_v7_4_1_a_lost_order_is_made_good(served: Served, person: MakePerson) -> None:
    """S2: the session's row is gone and nobody said so: the next question ends its sockets."""
    somebody = await person()
    async with connected(served.url, await realtime_token(somebody)) as wire:
        await served.house.db.execute("DELETE FROM sessions WHERE user_id = $1", somebody.id)
        await served.house.node._upkeep.validity.check()
        assert await wire.closed() == 3503


async def test_v8_3_2_a_role_that_changed_unheard_ends_the_sockets(
    served: Served, person: MakePerson
) -> None:
    """The session lives, but its rights are others than those of the open socket."""
    somebody = await person()
    async with connected(served.url, await realtime_token(somebody)) as wire:
        await served.house.node._upkeep.validity.check()
        assert "result" not in await wire.command(ping={})
        await served.house.db.execute(
            "UPDATE users SET role = 'moderator' WHERE id = $1", somebody.id
        )
        await served.house.node._upkeep.validity.check()
        assert await wire.closed() == 3503


async def test_tokens_need_a_session(nobody: httpx.AsyncClient) -> None:
    """Nobody logged in, no token."""
    assert (await nobody.get("/api/v1/realtime/token")).status_code == 401
