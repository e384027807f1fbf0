"""An admin in somebody's name: who may, what is out of reach, and how it ends."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.accounts.schemas import CreateApiKey
from app.http.sessions import COOKIE_NAME, OWN_COOKIE
from app.kit.principal import Role, Scope
from tests.story.wire import connected
from tests.support.house import Person
from tests.support.problems import code_of
from tests.support.world import Actor, World

V1 = "/api/v1"
WITHIN_S = 1.0
REASON = {"reason": "Ticket 17"}


def bearer(token: str) -> dict[str, str]:
    """The headers of a program."""
    return {"authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class Inside:
    """An admin who is here in somebody's name."""

    admin: Actor
    person: Actor
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """Those of the session in the other's name."""
        return bearer(self.token)


async def enter(world: World, person: Actor | None = None, admin: Actor | None = None) -> Inside:
    """A new admin in a new person's name, unless told otherwise."""
    admin, person = admin or await world.someone(Role.ADMIN), person or await world.someone()
    url = f"{V1}/users/{person.id}/impersonate"
    answer = await world.http.post(url, json=REASON, headers=admin.bearer)
    return Inside(admin, person, answer.raise_for_status().json()["token"])


async def status_of(world: World, token: str) -> int:
    """Whether this session lives."""
    return (await world.http.get(f"{V1}/users/me", headers=bearer(token))).status_code


class TestImpersonate:
    async def test_admins_only(
        self, nobody: httpx.AsyncClient, learner: Person, moderator: Person, stranger: Person
    ) -> None:
        """Nobody, a learner and a moderator are refused."""
        url = f"{V1}/users/{stranger.id}/impersonate"
        assert code_of(await nobody.post(url, json=REASON)) == (401, "unauthorized")
        for who in (learner, moderator):
            assert code_of(await who.http.post(url, json=REASON)) == (403, "forbidden")

    async def test_is_that_person_and_says_so(self, world: World) -> None:
        """The answer to 'who is here' names both."""
        inside = await enter(world)
        answer = await world.http.get(f"{V1}/auth/session", headers=inside.headers)
        assert answer.json()["user"]["id"] == inside.person.id
        assert answer.json()["impersonator_id"] == inside.admin.id
        own = await world.http.get(f"{V1}/auth/session", headers=inside.admin.bearer)
        assert own.json()["impersonator_id"] is None

    async def test_never_an_admin_nor_a_closed_account(self, world: World) -> None:
        """No way up, and none past a closed door."""
        admin, other = await world.someone(Role.ADMIN), await world.someone(Role.ADMIN)
        closed = await world.someone()
        await world.http.post(f"{V1}/users/{closed.id}/deactivate", json={}, headers=admin.bearer)
        for who in (admin, other, closed):
            url = f"{V1}/users/{who.id}/impersonate"
            answer = await world.http.post(url, json=REASON, headers=admin.bearer)
            assert code_of(answer) == (403, "cannot-impersonate")
        absent = f"{V1}/users/2147483647/impersonate"
        answer = await world.http.post(absent, json=REASON, headers=admin.bearer)
        assert code_of(answer) == (404, "not-found")

    @pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x", "role": "admin"}])
    async def test_reason_is_needed(self, world: World, body: dict[str, str]) -> None:
        """Nobody enters without saying why."""
        admin, person = await world.someone(Role.ADMIN), await world.someone()
        url = f"{V1}/users/{person.id}/impersonate"
        answer = await world.http.post(url, json=body, headers=admin.bearer)
        assert code_of(answer) == (400, "invalid-input")

    async def test_person_is_told_and_may_end_it(self, world: World) -> None:
        """On their channel at once, in their list, and with the button that ends it."""
        person = await world.someone()
        answer = await world.http.get(f"{V1}/realtime/token", headers=person.bearer)
        async with connected(world.served.url, answer.json()["token"]) as wire:
            channel = f"user:{person.id}"
            await wire.subscribe(channel)
            inside = await enter(world, person)
            told = await wire.wait_for(channel, lambda _event: True, WITHIN_S)
        assert (told["type"], told["reason"]) == ("user.impersonated", "Ticket 17")
        sessions = f"{V1}/auth/sessions"
        listed = (await world.http.get(sessions, headers=person.bearer)).json()["items"]
        (theirs,) = [one for one in listed if one["by_admin"]]
        assert theirs["id"] == told["session_id"]
        gone = await world.http.delete(f"{sessions}/{theirs['id']}", headers=person.bearer)
        assert gone.status_code == 204
        assert await status_of(world, inside.token) == 401
        assert await status_of(world, person.token) == 200

    async def test_person_s_last_sign_in_is_their_own(self, world: World) -> None:
        """An admin's visit is not theirs."""
        person = await world.someone()
        before = await world.db.fetchval(
            "UPDATE users SET last_sign_in_at = now() - interval '1 day' WHERE id = $1 "
            "RETURNING last_sign_in_at",
            person.id,
        )
        await enter(world, person)
        sql = "SELECT last_sign_in_at FROM users WHERE id = $1"
        assert await world.db.fetchval(sql, person.id) == before


class TestReach:
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("PUT", "/auth/password", {"current_password": "x", "new_password": "y" * 12}),
            ("PUT", "/users/me", {"name": "Somebody"}),
            ("POST", "/auth/api-keys", {"name": "Script", "scopes": ["chat:use"]}),
            ("DELETE", "/auth/api-keys/x", None),
            ("POST", "/auth/sessions/revoke-all", {}),
            ("POST", "/auth/sessions/revoke-others", {}),
            ("PUT", "/users/1/role", {"role": "admin"}),
            ("POST", "/users/1/impersonate", REASON),
            ("POST", "/users/1/deactivate", {}),
            ("POST", "/users/1/sign-out", {}),
            ("PUT", "/reports/1", {"status": "resolved"}),
        ],
    )
    async def test_own_affairs_and_decisions_are_refused(
        self, world: World, method: str, path: str, body: Any
    ) -> None:
        """Even in a moderator's name."""
        inside = await enter(world, await world.someone(Role.MODERATOR))
        answer = await world.http.request(method, V1 + path, json=body, headers=inside.headers)
        assert code_of(answer) == (403, "not-while-impersonating")

    async def test_everyday_use_is_stamped(self, world: World) -> None:
        """A report in somebody's name names both in the audit log."""
        inside, book = await enter(world), await world.book()
        form = {"target_type": "book", "target_id": book.id, "reason": "Wrong author"}
        answer = await world.http.post(f"{V1}/reports", json=form, headers=inside.headers)
        assert answer.status_code == 201
        row = await world.db.fetchrow(
            "SELECT actor_id, impersonator_id FROM audit_log WHERE action = 'report.filed'"
            " ORDER BY id DESC LIMIT 1"
        )
        assert row is not None
        assert tuple(row) == (inside.person.id, inside.admin.id)


class TestEnd:
    async def test_nobody_and_in_one_s_own_name(
        self, nobody: httpx.AsyncClient, learner: Person
    ) -> None:
        """There is nothing to end."""
        url = f"{V1}/auth/impersonation/end"
        assert code_of(await nobody.post(url)) == (401, "unauthorized")
        assert code_of(await learner.http.post(url)) == (409, "not-impersonating")

    async def test_program_returns_to_its_own_token(self, world: World) -> None:
        """The other ends, one's own lives on; one entry for each end of it."""
        inside = await enter(world)
        answer = await world.http.post(f"{V1}/auth/impersonation/end", headers=inside.headers)
        assert answer.json()["user"]["id"] == inside.admin.id
        assert await status_of(world, inside.token) == 401
        assert await status_of(world, inside.admin.token) == 200
        rows = await world.db.fetch(
            "SELECT action, actor_id, impersonator_id FROM audit_log WHERE target_id = $1"
            " ORDER BY id",
            str(inside.person.id),
        )
        assert [tuple(row) for row in rows] == [
            ("user.impersonated", inside.admin.id, None),
            ("user.impersonation-ended", inside.person.id, inside.admin.id),
        ]

    async def test_browser_goes_and_comes_back_with_cookies(self, world: World) -> None:
        """The admin's session waits beside the other's, and its token is changed on return."""
        admin, person = await world.someone(Role.ADMIN), await world.someone()
        own = {**admin.cookie, "origin": world.served.url}
        url = f"{V1}/users/{person.id}/impersonate"
        entered = await world.http.post(url, json=REASON, headers=own)
        jar = cookies_of(entered)
        assert jar[OWN_COOKIE] == admin.token
        assert "token" not in entered.json()
        both = "; ".join(f"{name}={value}" for name, value in jar.items())
        inside = {"cookie": both, "origin": world.served.url}
        here = await world.http.get(f"{V1}/auth/session", headers=inside)
        assert here.json()["user"]["id"] == person.id
        back = await world.http.post(f"{V1}/auth/impersonation/end", headers=inside)
        returned = cookies_of(back)
        assert returned[OWN_COOKIE] == ""
        assert returned[COOKIE_NAME] not in {"", admin.token, jar[COOKIE_NAME]}
        assert await status_of(world, returned[COOKIE_NAME]) == 200
        assert await status_of(world, admin.token) == 401

    @pytest.mark.parametrize("shown", ["", "a" * 43, "stranger"])
    async def test_only_the_session_that_opened_it_comes_back(
        self, world: World, shown: str
    ) -> None:
        """Whoever has the other's cookie alone gets no admin's session for it."""
        inside = await enter(world)
        own = (await world.someone(Role.ADMIN)).token if shown == "stranger" else shown
        cookie = f"{COOKIE_NAME}={inside.token}; {OWN_COOKIE}={own}"
        headers = {"cookie": cookie, "origin": world.served.url}
        answer = await world.http.post(f"{V1}/auth/impersonation/end", headers=headers)
        assert cookies_of(answer) == {COOKIE_NAME: "", OWN_COOKIE: ""}

    async def test_log_out_leaves_nothing_of_either(self, world: World) -> None:
        """The way out is out."""
        inside = await enter(world)
        await world.http.post(f"{V1}/auth/logout", headers=inside.headers)
        assert await status_of(world, inside.token) == 401
        assert await status_of(world, inside.admin.token) == 401
        assert await status_of(world, inside.person.token) == 200

    async def test_is_over_after_an_hour(self, world: World) -> None:
        """However it is used."""
        inside = await enter(world)
        row = await world.db.fetchrow(
            "UPDATE sessions SET ends_by = ends_by - interval '1 hour' WHERE impersonator_id = $1"
            " RETURNING ends_by - created_at < interval '1 second' AS soon",
            inside.admin.id,
        )
        assert row is not None
        assert row["soon"]
        assert await status_of(world, inside.token) == 401

    async def test_use_keeps_the_admin_s_session_awake(self, world: World) -> None:
        """Working in somebody's name is no idleness; but an admin who idles is out of both."""
        inside = await enter(world)
        move = "UPDATE sessions SET last_seen_at = now() - make_interval(mins => $2) WHERE {}"
        for column in ("id = $1", "opened_by = $1"):
            await world.db.execute(move.format(column), inside.admin.principal.session_id, 20)
        assert await status_of(world, inside.token) == 200
        assert await status_of(world, inside.admin.token) == 200
        await world.db.execute(move.format("id = $1"), inside.admin.principal.session_id, 31)
        assert await status_of(world, inside.token) == 401

    async def test_keys_of_the_person_are_not_touched(self, world: World) -> None:
        """A visit changes nothing of theirs."""
        person = await world.someone()
        form = CreateApiKey(name="Script", scopes=[Scope.CHAT_USE])
        made = await world.house.api_keys.create_key(person.principal, form)
        inside = await enter(world, person)
        await world.http.post(f"{V1}/auth/impersonation/end", headers=inside.headers)
        answer = await world.http.get(f"{V1}/chat/conversations", headers=bearer(made.key))
        assert answer.status_code == 200


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    """The cookies that an answer sets."""
    assert answer.is_success, answer.text
    lines = answer.headers.get_list("set-cookie")
    pairs = [line.partition(";")[0].partition("=") for line in lines]
    return {name: value.strip('"') for name, _, value in pairs}
