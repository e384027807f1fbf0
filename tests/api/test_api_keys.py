"""API keys over real HTTP: made once, shown once, used by programs, revoked at once."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.accounts.service.keys import is_well_formed, new_key
from app.http.sessions import COOKIE_NAME
from app.kit.clock import now
from app.kit.principal import Role, Scope
from app.settings import Settings
from tests.support.house import MakePerson, Person, serve, with_settings
from tests.support.problems import code_of
from tests.support.world import Actor, World

V1 = "/api/v1"
KEYS = f"{V1}/auth/api-keys"


async def make(world: World, owner: Actor, **form: Any) -> dict[str, Any]:
    """A new key with one scope unless told otherwise."""
    body = {"name": "Script", "scopes": ["catalog:read"], **form}
    answer = await world.http.post(KEYS, json=body, headers=owner.bearer)
    made: dict[str, Any] = answer.raise_for_status().json()
    return made


def bearer(key: str) -> dict[str, str]:
    """The headers of a program."""
    return {"authorization": f"Bearer {key}"}


class TestCreateApiKey:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient) -> None:
        """A key belongs to somebody."""
        form = {"name": "Script", "scopes": ["chat:use"]}
        assert code_of(await nobody.post(KEYS, json=form)) == (401, "unauthorized")

    async def test_v13_3_1_key_is_shown_once_and_kept_as_a_hash(self, world: World) -> None:
        """The answer has it, no list and no column does."""
        someone = await world.someone()
        made = await make(world, someone)
        assert is_well_formed(made["key"])
        assert made["api_key"]["hint"] == made["key"][:8]
        listed = (await world.http.get(KEYS, headers=someone.bearer)).json()["items"]
        assert listed == [made["api_key"]]
        rows = await world.db.fetch("SELECT api_keys::text AS text FROM api_keys")
        entries = await world.db.fetch("SELECT audit_log::text AS text FROM audit_log")
        assert not [row for row in [*rows, *entries] if made["key"][8:] in row["text"]]

    async def test_answer_is_not_cached(self, world: World) -> None:
        """Neither a browser nor the store of repeated answers keeps the secret."""
        someone = await world.someone()
        form = {"name": "Script", "scopes": ["chat:use"]}
        headers = {**someone.bearer, "idempotency-key": "one"}
        answer = await world.http.post(KEYS, json=form, headers=headers)
        assert answer.headers["cache-control"] == "no-store"
        key = answer.json()["key"]
        kept = await world.db.fetch("SELECT body FROM idempotency_key")
        assert not [row for row in kept if row["body"] and key.encode() in row["body"]]

    @pytest.mark.parametrize(
        "form",
        [
            {"scopes": []},
            {"scopes": ["everything"]},
            {"name": ""},
            {"name": "x" * 301},
            {"expires_at": "2001-01-01T00:00:00Z"},
            {"expires_at": "2999-01-01T00:00:00"},
            {"user_id": 1},
        ],
    )
    async def test_bad_forms(self, world: World, form: dict[str, Any]) -> None:
        """No scope, an unknown one, no name, an end in the past, without a zone, another field."""
        someone = await world.someone()
        body = {"name": "Script", "scopes": ["chat:use"], **form}
        answer = await world.http.post(KEYS, json=body, headers=someone.bearer)
        assert code_of(answer) == (400, "invalid-input")

    async def test_number_of_keys_is_bounded(self, settings: Settings, learner: Person) -> None:
        """One more than allowed is a conflict, not an endless list."""
        async with serve(with_settings(settings, api_keys_per_user=2)) as small:
            form = {"name": "Script", "scopes": ["chat:use"]}
            url, own = small.url + KEYS, {"authorization": f"Bearer {learner.token}"}
            async with httpx.AsyncClient(headers=own) as client:
                answers = [await client.post(url, json=form) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 409]
        assert code_of(answers[2]) == (409, "too-many-api-keys")


class TestUse:
    async def test_v8_3_1_owner_s_role_decides_as_well(self, world: World) -> None:
        """A learner's key with every scope adds no book; a teacher's does."""
        body = {"title": "A book"}
        for role, status in ((Role.USER, 403), (Role.TEACHER, 201)):
            made = await make(world, await world.someone(role), scopes=[s.value for s in Scope])
            answer = await world.http.post(f"{V1}/books", json=body, headers=bearer(made["key"]))
            assert answer.status_code == status

    async def test_a_lost_role_is_lost_at_once(self, world: World) -> None:
        """The role is read with every request."""
        teacher = await world.someone(Role.TEACHER)
        made = await make(world, teacher, scopes=["catalog:write"])
        await world.db.execute("UPDATE users SET role = 'user' WHERE id = $1", teacher.id)
        headers = bearer(made["key"])
        answer = await world.http.post(f"{V1}/books", json={"title": "A book"}, headers=headers)
        assert code_of(answer) == (403, "forbidden")

    async def test_last_use_is_shown(self, world: World) -> None:
        """An owner sees which keys are idle."""
        someone = await world.someone()
        made = await make(world, someone)
        assert made["api_key"]["last_used_at"] is None
        await world.http.get(f"{V1}/books", headers=bearer(made["key"]))
        (listed,) = (await world.http.get(KEYS, headers=someone.bearer)).json()["items"]
        assert listed["last_used_at"] is not None

    async def test_expired_key_is_nobody(self, world: World) -> None:
        """Public things stay public, everything else is 401."""
        someone = await world.someone()
        later = (now() + timedelta(hours=1)).isoformat()
        made = await make(world, someone, scopes=["chat:use"], expires_at=later)
        url, headers = f"{V1}/chat/conversations", bearer(made["key"])
        assert (await world.http.get(url, headers=headers)).status_code == 200
        await world.db.execute("UPDATE api_keys SET expires_at = now() - interval '1 second'")
        assert code_of(await world.http.get(url, headers=headers)) == (401, "unauthorized")

    async def test_key_of_a_closed_account_is_worth_nothing(self, world: World) -> None:
        """And does not come back when the account opens again."""
        someone, admin = await world.someone(), await world.someone(Role.ADMIN)
        made = await make(world, someone, scopes=["chat:use"])
        url, headers = f"{V1}/chat/conversations", bearer(made["key"])
        for verb in ("deactivate", "reactivate"):
            act = f"{V1}/users/{someone.id}/{verb}"
            await world.http.post(act, json={}, headers=admin.bearer)
            assert (await world.http.get(url, headers=headers)).status_code == 401

    @pytest.mark.parametrize(
        "spoilt",
        ["sic_", "sic_x", "sic_" + "0" * 49, new_key()],
        ids=["empty", "short", "wrong sum", "nobody's"],
    )
    async def test_unknown_and_misspelt_keys(self, nobody: httpx.AsyncClient, spoilt: str) -> None:
        """All alike: nobody."""
        answer = await nobody.get(f"{V1}/chat/conversations", headers=bearer(spoilt))
        assert code_of(answer) == (401, "unauthorized")

    async def test_v3_5_1_key_in_a_cookie_is_nobody(self, world: World) -> None:
        """What a browser would send by itself opens nothing."""
        made = await make(world, await world.someone(), scopes=["chat:use"])
        headers = {"cookie": f"{COOKIE_NAME}={made['key']}", "origin": world.served.url}
        answer = await world.http.get(f"{V1}/chat/conversations", headers=headers)
        assert answer.status_code == 401

    async def test_v2_4_1_requests_of_a_key_are_limited(
        self, settings: Settings, person: MakePerson
    ) -> None:
        """Each key for itself, with the usual headers."""
        someone = await person()
        form = {"name": "Script", "scopes": ["catalog:read"]}
        keys = [(await someone.http.post(KEYS, json=form)).json()["key"] for _ in range(2)]
        limited = with_settings(settings, requests_per_key_per_minute=3, redis_prefix="keys:")
        async with serve(limited) as small, httpx.AsyncClient(base_url=small.url) as client:
            first = [await client.get(f"{V1}/books", headers=bearer(keys[0])) for _ in range(5)]
            other = await client.get(f"{V1}/books", headers=bearer(keys[1]))
        assert first[0].status_code == other.status_code == 200
        assert code_of(first[-1]) == (429, "too-many-requests")
        assert first[-1].headers["ratelimit-policy"] == '"api-key";q=3;w=60'

    async def test_audit_names_the_key(self, world: World) -> None:
        """What a program did is told from what its owner did."""
        someone, book = await world.someone(), await world.book()
        made = await make(world, someone, scopes=["reports:write"])
        form = {"target_type": "book", "target_id": book.id, "reason": "Wrong author"}
        await world.http.post(f"{V1}/reports", json=form, headers=bearer(made["key"]))
        detail = await world.db.fetchval(
            "SELECT detail FROM audit_log WHERE action = 'report.filed' AND actor_id = $1",
            someone.id,
        )
        assert detail["api_key"] == made["api_key"]["id"]


class TestRevokeApiKey:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient) -> None:
        """Only signed-in people have keys."""
        assert code_of(await nobody.get(KEYS)) == (401, "unauthorized")
        assert code_of(await nobody.delete(f"{KEYS}/x")) == (401, "unauthorized")

    async def test_a_stranger_s_key_does_not_exist(self, world: World) -> None:
        """Neither seen nor revoked."""
        someone, stranger = await world.someone(), await world.someone()
        made = await make(world, someone, scopes=["chat:use"])
        url = f"{KEYS}/{made['api_key']['id']}"
        answer = await world.http.delete(url, headers=stranger.bearer)
        assert code_of(answer) == (404, "not-found")
        assert (await world.http.get(KEYS, headers=stranger.bearer)).json()["items"] == []
        headers = bearer(made["key"])
        assert (await world.http.get(f"{V1}/chat/conversations", headers=headers)).is_success

    async def test_revoked_key_opens_nothing(self, world: World) -> None:
        """From the next request on; both deeds are written down once."""
        someone = await world.someone()
        made = await make(world, someone, scopes=["chat:use"])
        key_id = made["api_key"]["id"]
        gone = await world.http.delete(f"{KEYS}/{key_id}", headers=someone.bearer)
        assert gone.status_code == 204
        headers = bearer(made["key"])
        answer = await world.http.get(f"{V1}/chat/conversations", headers=headers)
        assert code_of(answer) == (401, "unauthorized")
        rows = await world.db.fetch(
            "SELECT action FROM audit_log WHERE target_id = $1 ORDER BY id", key_id
        )
        assert [row["action"] for row in rows] == ["api-key.created", "api-key.revoked"]

    async def test_pages_show_each_once(self, world: World) -> None:
        """The cursor goes on where the page ended."""
        someone = await world.someone()
        for n in range(3):
            await make(world, someone, name=f"Key {n}")
        first = (await world.http.get(f"{KEYS}?limit=2", headers=someone.bearer)).json()
        query = {"limit": 2, "cursor": first["next"]}
        rest = (await world.http.get(KEYS, params=query, headers=someone.bearer)).json()
        names = [one["name"] for one in (*first["items"], *rest["items"])]
        assert names == ["Key 2", "Key 1", "Key 0"]
        assert rest["next"] is None


class TestStaff:
    async def test_v6_3_3_no_key_goes_around_the_second_factor(
        self, settings: Settings, person: MakePerson, nobody: httpx.AsyncClient
    ) -> None:
        """Where staff need one: without it no key is made, and an older key has no office."""
        boss = await person(Role.MODERATOR)
        form = {"name": "Script", "scopes": ["reports:read"]}
        made = (await boss.http.post(KEYS, json=form)).raise_for_status().json()
        own = bearer(boss.token)
        async with (
            serve(with_settings(settings, require_staff_second_factor=True)) as strict,
            httpx.AsyncClient(base_url=strict.url) as client,
        ):
            refused = await client.post(KEYS, json=form, headers=own)
            queue = await client.get(f"{V1}/reports", headers=bearer(made["key"]))
        assert code_of(refused) == (403, "second-factor-required")
        assert code_of(queue) == (403, "second-factor-required")
        lenient = await nobody.get(f"{V1}/reports", headers=bearer(made["key"]))
        assert lenient.status_code == 200
