"""People as admins find and handle them: filters, closures that end, addresses vouched for."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.kit.clock import now
from app.kit.principal import Role
from tests.support.house import PASSWORD, MakePerson, Person
from tests.support.mailbox import Mailbox
from tests.support.problems import code_of
from tests.support.world import Actor, World

V1 = "/api/v1"
USERS = f"{V1}/users"
AUGUST = datetime(2026, 8, 1, tzinfo=UTC)


async def act(world: World, admin: Actor, user_id: int, verb: str, **body: Any) -> httpx.Response:
    """One deed of an admin."""
    url = f"{USERS}/{user_id}/{verb}"
    return await world.http.post(url, json=body, headers=admin.bearer)


async def found(world: World, admin: Actor, **query: Any) -> list[dict[str, Any]]:
    """One list."""
    answer = await world.http.get(USERS, params=query, headers=admin.bearer)
    items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
    return items


async def log_in(world: World, someone: Actor, password: str = PASSWORD) -> httpx.Response:
    """By the front door."""
    form = {"email": someone.principal.email, "password": password, "transport": "bearer"}
    return await world.http.post(f"{V1}/auth/login", json=form)


@pytest.fixture
async def boss(world: World) -> Actor:
    """An admin."""
    return await world.someone(Role.ADMIN)


class TestListUsers:
    async def test_nobody_and_no_admin(self, nobody: httpx.AsyncClient, moderator: Person) -> None:
        """The list of people is for admins."""
        assert code_of(await nobody.get(USERS)) == (401, "unauthorized")
        assert code_of(await moderator.http.get(USERS)) == (403, "forbidden")

    async def test_filters_are_joined(self, world: World, boss: Actor) -> None:
        """Search, role, status and confirmation, each and together."""
        word = uuid4().hex[:8]
        people = [
            await world.someone(role, f"{word}{n}@example.org")
            for n, role in enumerate((Role.USER, Role.USER, Role.TEACHER))
        ]
        ids = [one.id for one in people]
        await world.db.execute("UPDATE users SET email_verified_at = NULL WHERE id = $1", ids[0])
        await act(world, boss, ids[1], "deactivate", reason="Spam")

        async def ids_of(**query: Any) -> list[int]:
            return [one["id"] for one in await found(world, boss, q=word, **query)]

        assert await ids_of() == ids
        assert await ids_of(verified=False) == ids[:1]
        assert await ids_of(verified=True, status="active") == ids[2:]
        assert await ids_of(status="deactivated") == ids[1:2]
        assert await ids_of(role="teacher") == ids[2:]
        assert await ids_of(role="teacher", verified=False) == []

    async def test_second_factor_is_shown_and_filters(self, world: World, boss: Actor) -> None:
        """An authenticator app counts once it is enabled, not while it is being set up."""
        word = uuid4().hex[:8]
        people = [await world.someone(email=f"{word}{n}@example.org") for n in range(3)]
        for one, enabled_at in zip(people, (now(), None), strict=False):
            await world.db.execute(
                "INSERT INTO totp_secrets (user_id, secret, enabled_at) VALUES ($1, 'x', $2)",
                one.id,
                enabled_at,
            )
        with_it = await found(world, boss, q=word, second_factor=True)
        assert [(one["id"], one["second_factor"]) for one in with_it] == [(people[0].id, True)]
        without = await found(world, boss, q=word, second_factor=False)
        assert [one["id"] for one in without] == [one.id for one in people[1:]]

    async def test_last_sign_in_is_shown_and_sorts(self, world: World, boss: Actor) -> None:
        """Whoever has not been here for long stands first, whoever never was before them."""
        word = uuid4().hex[:8]
        people = [await world.someone(email=f"{word}{n}@example.org") for n in range(3)]
        for one, at in zip(people, (now(), None, AUGUST), strict=True):
            await world.db.execute(
                "UPDATE users SET last_sign_in_at = $2 WHERE id = $1", one.id, at
            )
        first = await found(world, boss, q=word, sort="last_sign_in_at")
        assert [one["id"] for one in first] == [people[1].id, people[2].id, people[0].id]
        assert [one["last_sign_in_at"] for one in first][:2] == [None, "2026-08-01T00:00:00Z"]
        query = {"q": word, "sort": "-last_sign_in_at", "limit": 1}
        page = (await world.http.get(USERS, params=query, headers=boss.bearer)).json()
        rest = await found(world, boss, **query, cursor=page["next"])
        assert [page["items"][0]["id"], rest[0]["id"]] == [people[0].id, people[2].id]

    async def test_a_sign_in_is_noted(self, world: World, boss: Actor) -> None:
        """By any door."""
        someone = await world.someone()
        await world.db.execute("UPDATE users SET last_sign_in_at = NULL WHERE id = $1", someone.id)
        assert (await log_in(world, someone)).is_success
        user = (await world.http.get(f"{USERS}/{someone.id}", headers=boss.bearer)).json()
        assert datetime.fromisoformat(user["last_sign_in_at"]) > now() - timedelta(minutes=1)

    async def test_others_do_not_see_what_admins_see(self, world: World) -> None:
        """One's own account has no notes of the house."""
        someone = await world.someone()
        own = (await world.http.get(f"{USERS}/me", headers=someone.bearer)).json()
        assert not own.keys() & {"deactivated_reason", "last_sign_in_at", "second_factor"}


class TestDeactivate:
    async def test_reason_and_end_are_told_after_the_right_password_only(
        self, world: World, boss: Actor
    ) -> None:
        """Its owner learns why and until when; a stranger learns not even that it is closed."""
        someone = await world.someone()
        until = now().replace(microsecond=0) + timedelta(days=7)
        answer = await act(
            world, boss, someone.id, "deactivate", reason="Spam", until=until.isoformat()
        )
        assert answer.json()["status"] == "deactivated"
        assert answer.json()["deactivated_reason"] == "Spam"
        wrong = await log_in(world, someone, "not-this-one")
        assert code_of(wrong) == (401, "wrong-credentials")
        assert not wrong.json().keys() & {"reason", "until"}
        right = await log_in(world, someone)
        assert code_of(right) == (403, "account-deactivated")
        assert right.json()["reason"] == "Spam"
        assert datetime.fromisoformat(right.json()["until"]) == until

    async def test_opens_by_itself(self, world: World, boss: Actor) -> None:
        """When the time has come nobody needs to do anything, and lists say so."""
        someone = await world.someone()
        until = (now() + timedelta(days=1)).isoformat()
        await act(world, boss, someone.id, "deactivate", reason="Spam", until=until)
        await world.db.execute(
            "UPDATE users SET deactivated_until = now() - interval '1 second' WHERE id = $1",
            someone.id,
        )
        assert (await log_in(world, someone)).is_success
        q = someone.principal.email
        (listed,) = await found(world, boss, q=q, status="active")
        assert listed["status"] == "active"
        assert await found(world, boss, q=q, status="deactivated") == []

    async def test_without_an_end_stays_closed(self, world: World, boss: Actor) -> None:
        """Until an admin opens it; then reason and end are gone."""
        someone = await world.someone()
        await act(world, boss, someone.id, "deactivate", reason="Spam")
        assert code_of(await log_in(world, someone))[0] == 403
        opened = (await act(world, boss, someone.id, "reactivate")).json()
        assert (opened["deactivated_reason"], opened["deactivated_until"]) == (None, None)
        assert (await log_in(world, someone)).is_success

    @pytest.mark.parametrize("until", ["2001-01-01T00:00:00Z", "2999-01-01T00:00:00", "soon"])
    async def test_end_must_be_a_time_to_come(self, world: World, boss: Actor, until: str) -> None:
        """The past, a time without a zone, and no time at all."""
        someone = await world.someone()
        answer = await act(world, boss, someone.id, "deactivate", until=until)
        assert code_of(answer) == (400, "invalid-input")
        assert (await log_in(world, someone)).is_success

    async def test_absent_person(self, world: World, boss: Actor) -> None:
        """There is nobody to close out."""
        answer = await act(world, boss, 2147483647, "deactivate")
        assert code_of(answer) == (404, "not-found")


class TestErased:
    async def test_nothing_is_left_to_manage(self, world: World, boss: Actor) -> None:
        """Whoever deleted their account is in no list, and no admin brings it back."""
        someone = await world.someone()
        gone = await world.http.delete(f"{USERS}/me", headers=someone.bearer)
        assert gone.status_code == 204
        assert await found(world, boss, q=f"erased-{someone.id}@") == []
        for verb, body in (
            ("reactivate", {}),
            ("verify", {}),
            ("deactivate", {}),
            ("sign-out", {}),
            ("impersonate", {"reason": "Ticket 17"}),
        ):
            answer = await act(world, boss, someone.id, verb, **body)
            assert code_of(answer) == (404, "not-found"), verb
        url = f"{USERS}/{someone.id}"
        assert (await world.http.get(url, headers=boss.bearer)).status_code == 404
        role = await world.http.put(f"{url}/role", json={"role": "admin"}, headers=boss.bearer)
        assert role.status_code == 404


class TestVerify:
    async def test_admins_only(self, nobody: httpx.AsyncClient, learner: Person) -> None:
        """Nobody vouches for themself."""
        url = f"{USERS}/{learner.id}/verify"
        assert code_of(await nobody.post(url)) == (401, "unauthorized")
        assert code_of(await learner.http.post(url)) == (403, "forbidden")

    async def test_address_counts_as_confirmed(self, world: World, boss: Actor) -> None:
        """And it is written down who said so."""
        someone = await world.someone()
        clear = "UPDATE users SET email_verified_at = NULL WHERE id = $1"
        await world.db.execute(clear, someone.id)
        assert (await act(world, boss, someone.id, "verify")).json()["email_verified"] is True
        actor = await world.db.fetchval(
            "SELECT actor_id FROM audit_log WHERE action = 'user.verified' AND target_id = $1",
            str(someone.id),
        )
        assert actor == boss.id
        assert (await act(world, boss, 2147483647, "verify")).status_code == 404


class TestLastAdmin:
    async def test_one_who_is_closed_for_a_time_does_not_count(
        self, world: World, boss: Actor
    ) -> None:
        """Somebody must be able to act now; one whose closure is over can."""
        other = await world.someone(Role.ADMIN)
        await world.db.execute(
            "UPDATE users SET role = 'user' WHERE role = 'admin' AND id <> ALL($1)",
            [boss.id, other.id],
        )
        until = (now() + timedelta(days=1)).isoformat()
        closed = await act(world, boss, other.id, "deactivate", reason="Holiday", until=until)
        assert closed.is_success
        step_down = await act(world, boss, boss.id, "deactivate")
        assert code_of(step_down) == (409, "last-admin")
        await world.db.execute(
            "UPDATE users SET deactivated_until = now() - interval '1 second' WHERE id = $1",
            other.id,
        )
        assert (await act(world, boss, boss.id, "deactivate")).is_success


class TestMail:
    async def test_owner_hears_of_a_closure_a_visit_and_a_key(
        self, person: MakePerson, admin: Person, mailbox: Mailbox
    ) -> None:
        """With the words that the admin gave; a mark-up in them is only text."""
        someone = await person()
        form = {"name": "Script <b>", "scopes": ["chat:use"]}
        (await someone.http.post(f"{V1}/auth/api-keys", json=form)).raise_for_status()
        assert 'key "Script <b>"' in (await mailbox.newest(someone.email)).text
        url = f"{USERS}/{someone.id}"
        reason = {"reason": "Ticket <17>"}
        (await admin.http.post(f"{url}/impersonate", json=reason)).raise_for_status()
        assert "Reason: Ticket <17>" in (await mailbox.newest(someone.email)).text
        closed = {"reason": "Spam", "until": "2999-01-02T03:04:00+07:00"}
        (await admin.http.post(f"{url}/deactivate", json=closed)).raise_for_status()
        text = (await mailbox.newest(someone.email)).text
        assert "Reason: Spam" in text
        assert "Closed until: 2999-01-01 20:04 UTC" in text
