"""Sessions as their owner sees and ends them, and the change of a password."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from app.http.sessions import COOKIE_NAME
from tests.api.test_accounts import code_of, new_email
from tests.story.wire import Wire, connected
from tests.support.house import PASSWORD, MakePerson, Person, Served
from tests.support.processes import AppProcess

V1 = "/api/v1"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
OTHER = "another-good-password"
SOON_S = 1.0


@dataclass(frozen=True)
class Device:
    """One more sign-in of a person."""

    id: str
    token: str
    headers: dict[str, str]


async def sign_in(
    nobody: httpx.AsyncClient, person: Person, agent: str = FIREFOX, password: str = PASSWORD
) -> Device:
    """From another device."""
    form = {"email": person.email, "password": password, "transport": "bearer"}
    answer = await nobody.post(f"{V1}/auth/login", json=form, headers={"user-agent": agent})
    token = answer.raise_for_status().json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    own = await nobody.get(f"{V1}/auth/sessions", headers=headers)
    (current,) = [one for one in own.json()["items"] if one["is_current"]]
    return Device(current["id"], token, headers)


@asynccontextmanager
async def socket_of(
    served: Served, nobody: httpx.AsyncClient, device: Device
) -> AsyncIterator[Wire]:
    """What this device has open."""
    answer = await nobody.get(f"{V1}/realtime/token", headers=device.headers)
    async with connected(served.url, answer.json()["token"]) as wire:
        yield wire


async def status_of(nobody: httpx.AsyncClient, device: Device) -> int:
    """Whether the device is still signed in."""
    return (await nobody.get(f"{V1}/users/me", headers=device.headers)).status_code


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


WITHIN_FREE_ATTEMPTS = 4
"""With the change itself five: one more might be slowed down, whichever comes last."""


class TestChangePassword:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient) -> None:
        """Nobody has no password."""
        form = {"current_password": PASSWORD, "new_password": OTHER}
        answer = await nobody.put(f"{V1}/auth/password", json=form)
        assert code_of(answer) == (401, "unauthorized")

    async def test_wrong_current_password_changes_nothing(
        self, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """Whoever found an open browser cannot take the account."""
        someone = await person()
        form = {"current_password": "not-this-one", "new_password": OTHER}
        answer = await someone.http.put(f"{V1}/auth/password", json=form)
        assert code_of(answer) == (403, "wrong-password")
        await sign_in(nobody, someone)

    async def test_guessing_the_current_password_is_slowed_down(self, person: MakePerson) -> None:
        """An open browser is no way around the limits of the door."""
        someone = await person()
        form = {"current_password": "not-this-one", "new_password": OTHER}
        answers = [await someone.http.put(f"{V1}/auth/password", json=form) for _ in range(8)]
        assert {a.status_code for a in answers[:5]} == {403}
        assert code_of(answers[5]) == (429, "too-many-requests")

    @pytest.mark.parametrize("weak", ["Password123", "qwertyuiop", "OWN-ADDRESS"])
    async def test_weak_new_password(self, person: MakePerson, weak: str) -> None:
        """A stable code, and the field it is about."""
        someone = await person()
        new = someone.email.upper() if weak == "OWN-ADDRESS" else weak
        form = {"current_password": PASSWORD, "new_password": new}
        answer = await someone.http.put(f"{V1}/auth/password", json=form)
        assert code_of(answer) == (400, "password-too-common")
        assert [one["field"] for one in answer.json()["errors"]] == ["new_password"]

    async def test_everything_else_ends_and_a_new_token_comes(
        self, nobody: httpx.AsyncClient, person: MakePerson, served: Served
    ) -> None:
        """Old tokens, sockets and the old password are worth nothing; one audit entry."""
        someone = await person()
        here, there = await sign_in(nobody, someone), await sign_in(nobody, someone)
        form = {"current_password": PASSWORD, "new_password": OTHER}
        async with (
            socket_of(served, nobody, here) as own,
            socket_of(served, nobody, there) as other,
        ):
            answer = await nobody.put(f"{V1}/auth/password", json=form, headers=here.headers)
            assert answer.status_code == 200
            for wire in (own, other):
                assert await asyncio.wait_for(wire.closed(), SOON_S) == 3503
        assert [await status_of(nobody, one) for one in (here, there)] == [401, 401]
        fresh = {"authorization": f"Bearer {answer.json()['token']}"}
        assert (await nobody.get(f"{V1}/users/me", headers=fresh)).status_code == 200
        old = {"email": someone.email, "password": PASSWORD}
        assert code_of(await nobody.post(f"{V1}/auth/login", json=old))[0] == 401
        await sign_in(nobody, someone, password=OTHER)
        assert await audited(served, someone, "user.password-changed") == [someone.id]

    async def test_a_browser_gets_a_new_cookie(
        self, nobody: httpx.AsyncClient, person: MakePerson, served: Served
    ) -> None:
        """And no token that a script could read."""
        someone = await person()
        headers = {"cookie": f"{COOKIE_NAME}={someone.token}", "origin": served.url}
        form = {"current_password": PASSWORD, "new_password": OTHER}
        answer = await nobody.put(f"{V1}/auth/password", json=form, headers=headers)
        assert someone.token not in answer.headers["set-cookie"]
        assert "token" not in answer.json()

    async def test_two_at_once_change_it_once(self, person: MakePerson) -> None:
        """Of two changes from the same password one is refused."""
        someone = await person()
        forms = [{"current_password": PASSWORD, "new_password": f"{OTHER}-{n}"} for n in range(2)]
        answers = await asyncio.gather(
            *(someone.http.put(f"{V1}/auth/password", json=form) for form in forms)
        )
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[0] == 200
        assert statuses[1] in {401, 403}

    async def test_no_session_of_the_old_password_outlives_it(
        self, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """However logins with the old password race with the change, none of them stays."""
        someone = await person()
        change = {"current_password": PASSWORD, "new_password": OTHER}
        old = {"email": someone.email, "password": PASSWORD, "transport": "bearer"}
        changed, *logins = await asyncio.gather(
            someone.http.put(f"{V1}/auth/password", json=change),
            *(nobody.post(f"{V1}/auth/login", json=old) for _ in range(WITHIN_FREE_ATTEMPTS)),
        )
        assert changed.status_code == 200
        tokens = [answer.json()["token"] for answer in logins if answer.status_code == 200]
        for token in tokens:
            headers = {"authorization": f"Bearer {token}"}
            assert (await nobody.get(f"{V1}/users/me", headers=headers)).status_code == 401


class TestSignUpPassword:
    @pytest.mark.parametrize(
        "weak", ["password1", "PASSWORD1", "1234567890", "sari dewi", "Sari Dewi 2026"]
    )
    async def test_v6_2_4_weak_passwords_are_refused(
        self, nobody: httpx.AsyncClient, weak: str
    ) -> None:
        """Common ones and one's own name, with a code of their own."""
        form = {"email": new_email(), "password": weak, "name": "Sari Dewi"}
        answer = await nobody.post(f"{V1}/auth/signup", json=form)
        assert code_of(answer) == (400, "password-too-common")
        assert [one["field"] for one in answer.json()["errors"]] == ["password"]


async def audited(served: Served, person: Person, action: str) -> list[int]:
    """Who did it, once for each entry."""
    rows = await served.house.db.fetch(
        "SELECT actor_id FROM audit_log WHERE target_id = $1 AND action = $2",
        str(person.id),
        action,
    )
    return [row["actor_id"] for row in rows]
