"""Sessions as their owner sees and ends them."""

import asyncio

import httpx

from app.http.sessions import COOKIE_NAME
from tests.story.wire import connected
from tests.support.devices import (
    SOON_S,
    V1,
    audited,
    sign_in,
    socket_of,
    status_of,
)
from tests.support.house import MakePerson, Person, Served
from tests.support.problems import code_of
from tests.support.processes import AppProcess


class TestListSessions:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient) -> None:
        """Nobody has no sessions."""
        assert code_of(await nobody.get(f"{V1}/auth/sessions")) == (401, "unauthorized")

    async def test_own_sessions_only_the_newest_first(
        self, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """Device and place are readable, this one is marked, and nothing secret is shown."""
        someone, _ = await person(), await person()
        device = await sign_in(nobody, someone)
        items = (await someone.http.get(f"{V1}/auth/sessions")).json()["items"]
        assert [one["is_current"] for one in items] == [False, True]
        assert items[0]["id"] == device.id
        assert [one["device"] for one in items] == ["Firefox, Linux", "python-httpx"]
        assert {one["address"] for one in items} == {"127.0.0.1"}
        assert {one["place"] for one in items} == {"this-computer"}
        assert not any(one["by_admin"] for one in items)
        fields = "id created_at last_seen_at device address place is_current by_admin"
        assert set(items[0]) == set(fields.split())

    async def test_pages_show_each_once(
        self, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """The cursor goes on where the page ended; a forged one is refused."""
        someone = await person()
        for _ in range(2):
            await sign_in(nobody, someone)
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = (await someone.http.get(f"{V1}/auth/sessions", params=query)).json()
            seen += [one["id"] for one in page["items"]]
            cursor = page["next"]
        assert len(seen) == len(set(seen)) == 3
        forged = await someone.http.get(f"{V1}/auth/sessions", params={"cursor": "bm8"})
        assert code_of(forged) == (400, "invalid-input")

    async def test_ended_ones_are_not_listed(
        self, nobody: httpx.AsyncClient, person: MakePerson, served: Served
    ) -> None:
        """An idle session has ended, whether or not its row is still there."""
        someone = await person()
        device = await sign_in(nobody, someone)
        await served.house.db.execute(
            "UPDATE sessions SET last_seen_at = now() - interval '15 days' WHERE id = $1", device.id
        )
        items = (await someone.http.get(f"{V1}/auth/sessions")).json()["items"]
        assert [one["is_current"] for one in items] == [True]

    async def test_ended_ones_are_forgotten_and_living_ones_kept(
        self, nobody: httpx.AsyncClient, person: MakePerson, served: Served
    ) -> None:
        """What the worker trims lets nobody in any more."""
        someone = await person()
        device = await sign_in(nobody, someone)
        await served.house.db.execute(
            "UPDATE sessions SET created_at = now() - interval '91 days' WHERE id = $1", device.id
        )
        await served.house.sessions.trim()
        rows = await served.house.db.fetch("SELECT id FROM sessions WHERE user_id = $1", someone.id)
        assert [row["id"] for row in rows if row["id"] != device.id] == [row["id"] for row in rows]
        assert (await someone.http.get(f"{V1}/users/me")).status_code == 200


class TestEndSession:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient) -> None:
        """Only signed-in people end sessions."""
        for answer in (
            await nobody.delete(f"{V1}/auth/sessions/abc"),
            await nobody.post(f"{V1}/auth/sessions/revoke-others"),
            await nobody.post(f"{V1}/auth/sessions/revoke-all"),
        ):
            assert code_of(answer) == (401, "unauthorized")

    async def test_strangers_and_absent_ones_look_the_same(
        self, nobody: httpx.AsyncClient, person: MakePerson, stranger: Person
    ) -> None:
        """Another's session is 404, and lives on."""
        device = await sign_in(nobody, await person())
        answers = [
            await stranger.http.delete(f"{V1}/auth/sessions/{one}") for one in (device.id, "absent")
        ]
        assert [code_of(answer) for answer in answers] == [(404, "not-found")] * 2
        assert await status_of(nobody, device) == 200

    async def test_exactly_its_sockets_close(
        self, nobody: httpx.AsyncClient, person: MakePerson, served: Served
    ) -> None:
        """The ended one hears nothing more within a second; the one beside it goes on."""
        someone = await person()
        ended, kept = await sign_in(nobody, someone), await sign_in(nobody, someone)
        async with (
            socket_of(served, nobody, ended) as wire,
            socket_of(served, nobody, kept) as other,
        ):
            answer = await someone.http.delete(f"{V1}/auth/sessions/{ended.id}")
            assert answer.status_code == 204
            assert "set-cookie" not in answer.headers
            assert await asyncio.wait_for(wire.closed(), SOON_S) == 3503
            assert "subscribe" in await other.command(subscribe={"channel": f"user:{someone.id}"})
        assert [await status_of(nobody, one) for one in (ended, kept)] == [401, 200]

    async def test_sockets_of_another_process_close_as_soon(
        self,
        nobody: httpx.AsyncClient,
        person: MakePerson,
        app_environment: dict[str, str],
    ) -> None:
        """Ended in one process, closed in the other within a second."""
        someone = await person()
        device = await sign_in(nobody, someone)
        token = (await nobody.get(f"{V1}/realtime/token", headers=device.headers)).json()["token"]
        with AppProcess.serve(app_environment) as other:
            await asyncio.to_thread(other.wait_ready)
            async with connected(other.url, token) as wire:
                await someone.http.delete(f"{V1}/auth/sessions/{device.id}")
                assert await asyncio.wait_for(wire.closed(), SOON_S) == 3503

    async def test_ones_own_is_a_logout(self, nobody: httpx.AsyncClient, learner: Person) -> None:
        """The browser forgets its cookie."""
        device = await sign_in(nobody, learner)
        url = f"{V1}/auth/sessions/{device.id}"
        answer = await nobody.delete(url, headers=device.headers)
        assert answer.headers["set-cookie"].startswith(f"{COOKIE_NAME}=")
        assert await status_of(nobody, device) == 401

    async def test_all_others(
        self, nobody: httpx.AsyncClient, person: MakePerson, served: Served
    ) -> None:
        """This one stays, the others and their sockets end, strangers' are not touched."""
        someone, neighbour = await person(), await person()
        others = [await sign_in(nobody, someone) for _ in range(2)]
        async with socket_of(served, nobody, others[0]) as wire:
            answer = await someone.http.post(f"{V1}/auth/sessions/revoke-others")
            assert answer.json() == {"ended": 2}
            assert await asyncio.wait_for(wire.closed(), SOON_S) == 3503
        assert [await status_of(nobody, one) for one in others] == [401, 401]
        for still in (someone, neighbour):
            assert (await still.http.get(f"{V1}/users/me")).status_code == 200

    async def test_all(self, nobody: httpx.AsyncClient, person: MakePerson) -> None:
        """Nothing of the person is signed in any more."""
        someone = await person()
        device = await sign_in(nobody, someone)
        answer = await someone.http.post(f"{V1}/auth/sessions/revoke-all")
        assert answer.json() == {"ended": 2}
        assert "max-age=0" in answer.headers["set-cookie"].lower()
        assert await status_of(nobody, device) == 401
        assert (await someone.http.get(f"{V1}/users/me")).status_code == 401


class TestSignOutUser:
    async def test_admins_only(
        self, nobody: httpx.AsyncClient, learner: Person, moderator: Person, stranger: Person
    ) -> None:
        """Nobody, a learner and a moderator are refused."""
        url = f"{V1}/users/{stranger.id}/sign-out"
        assert code_of(await nobody.post(url)) == (401, "unauthorized")
        for who in (learner, moderator):
            assert code_of(await who.http.post(url)) == (403, "forbidden")

    async def test_absent_person(self, admin: Person) -> None:
        """There is nobody to sign out."""
        answer = await admin.http.post(f"{V1}/users/2147483647/sign-out")
        assert code_of(answer) == (404, "not-found")

    async def test_every_device_and_one_audit_entry(
        self, nobody: httpx.AsyncClient, person: MakePerson, admin: Person, served: Served
    ) -> None:
        """Sessions and sockets end, and it is written down once, by whom."""
        someone = await person()
        device = await sign_in(nobody, someone)
        async with socket_of(served, nobody, device) as wire:
            answer = await admin.http.post(f"{V1}/users/{someone.id}/sign-out")
            assert answer.json() == {"ended": 2}
            assert await asyncio.wait_for(wire.closed(), SOON_S) == 3503
        assert await status_of(nobody, device) == 401
        assert await audited(served, someone, "user.signed-out") == [admin.id]
