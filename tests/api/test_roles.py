"""What admins do with accounts: list them, give roles, close and open them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from app.kit.principal import Role
from tests.api.test_accounts import V1
from tests.support.house import PASSWORD, MakePerson, Person, Served
from tests.support.problems import code_of


@asynccontextmanager
async def nobody_else_in_office(served: Served, present: list[Person]) -> AsyncIterator[None]:
    """The admins of the other tests stand aside, in their rows only: a change of role would end
    their sessions."""
    db = served.house.db
    aside = await db.fetch(
        "UPDATE users SET role = 'user' WHERE role = 'admin' AND id <> ALL($1) RETURNING id",
        [one.id for one in present],
    )
    try:
        yield
    finally:
        await db.execute(
            "UPDATE users SET role = 'admin' WHERE id = ANY($1)", [row["id"] for row in aside]
        )


class TestAdmin:
    @pytest.mark.parametrize(
        ("method", "verb", "body"),
        [
            ("PUT", "role", {"role": "teacher"}),
            ("POST", "deactivate", {"reason": "spam"}),
            ("POST", "reactivate", None),
        ],
    )
    async def test_stale_version_changes_nothing(
        self, person: MakePerson, admin: Person, method: str, verb: str, body: object
    ) -> None:
        """If-Match is optional, and honoured when it comes."""
        someone = await person()
        url = f"{V1}/users/{someone.id}"
        tag = (await admin.http.get(url)).headers["etag"]
        stale = {"if-match": '"99"'}
        refused = await admin.http.request(method, f"{url}/{verb}", json=body, headers=stale)
        assert code_of(refused) == (412, "precondition-failed")
        assert (await admin.http.get(url)).headers["etag"] == tag
        current = {"if-match": tag}
        answer = await admin.http.request(method, f"{url}/{verb}", json=body, headers=current)
        assert (answer.status_code, answer.headers["etag"] != tag) == (200, True)

    async def test_only_admins_list_people(
        self, nobody: httpx.AsyncClient, learner: Person, moderator: Person
    ) -> None:
        """Nobody, a learner and a moderator are refused."""
        assert code_of(await nobody.get(f"{V1}/users")) == (401, "unauthorized")
        assert code_of(await learner.http.get(f"{V1}/users")) == (403, "forbidden")
        assert code_of(await moderator.http.get(f"{V1}/users")) == (403, "forbidden")

    async def test_list_pages_through_everybody_once(
        self, admin: Person, person: MakePerson
    ) -> None:
        """Keyset paging shows each account once, whatever the page size."""
        for _ in range(3):
            await person()
        seen: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "2", "sort": "-email"} | ({"cursor": cursor} if cursor else {})
            page = (await admin.http.get(f"{V1}/users", params=query)).json()
            seen += [user["id"] for user in page["items"]]
            cursor = page["next"]
        assert len(seen) == len(set(seen))
        assert admin.id in seen

    async def test_search_and_filters(self, admin: Person, person: MakePerson) -> None:
        """q looks into address and name literally; role filters."""
        await person(Role.TEACHER, name="100%_sure")
        found = await admin.http.get(f"{V1}/users", params={"q": "0%_su", "role": "teacher"})
        assert [user["name"] for user in found.json()["items"]] == ["100%_sure"]

    async def test_promotion_begins_with_a_new_sign_in(
        self, admin: Person, person: MakePerson, nobody: httpx.AsyncClient
    ) -> None:
        """V7.2.4: a session of a learner never becomes a moderator's."""
        someone = await person()
        assert (await someone.http.get(f"{V1}/reports")).status_code == 403
        url = f"{V1}/users/{someone.id}/role"
        assert (await admin.http.put(url, json={"role": "moderator"})).json()["role"] == "moderator"
        assert (await someone.http.get(f"{V1}/reports")).status_code == 401
        form = {"email": someone.email, "password": PASSWORD, "transport": "bearer"}
        token = (await nobody.post(f"{V1}/auth/login", json=form)).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        assert (await nobody.get(f"{V1}/reports", headers=headers)).status_code == 200

    async def test_same_role_again_ends_no_session(self, admin: Person, person: MakePerson) -> None:
        """Nothing changes, nobody is sent out."""
        someone = await person()
        await admin.http.put(f"{V1}/users/{someone.id}/role", json={"role": "user"})
        assert (await someone.http.get(f"{V1}/users/me")).status_code == 200

    async def test_deactivation_ends_sessions_and_reactivation_reopens(
        self, admin: Person, person: MakePerson, nobody: httpx.AsyncClient
    ) -> None:
        """A closed account has no session and no login until it is opened again."""
        someone = await person()
        url = f"{V1}/users/{someone.id}"
        closed = await admin.http.post(f"{url}/deactivate", json={"reason": "spam"})
        assert closed.json()["status"] == "deactivated"
        assert code_of(await someone.http.get(f"{V1}/users/me")) == (401, "unauthorized")
        form = {"email": someone.email, "password": PASSWORD}
        login = await nobody.post(f"{V1}/auth/login", json=form)
        assert code_of(login) == (403, "account-deactivated")
        await admin.http.post(f"{url}/reactivate")
        assert (await nobody.post(f"{V1}/auth/login", json=form)).status_code == 200

    async def test_learner_cannot_promote_anybody(self, learner: Person, stranger: Person) -> None:
        """The role of somebody else is not for a learner, nor their own."""
        for target in (learner.id, stranger.id):
            answer = await learner.http.put(f"{V1}/users/{target}/role", json={"role": "admin"})
            assert code_of(answer) == (403, "forbidden")

    async def test_absent_account_is_404(self, admin: Person) -> None:
        """Whatever the verb."""
        for path in ("/users/2147483647", "/users/2147483647/role"):
            verb = admin.http.get if path.endswith("7") else admin.http.put
            extra = {} if path.endswith("7") else {"json": {"role": "user"}}
            assert (await verb(V1 + path, **extra)).status_code == 404

    async def test_two_admins_cannot_both_step_down(
        self, person: MakePerson, served: Served
    ) -> None:
        """Of all admins stepping down at once, one is left."""
        everybody = [await person(Role.ADMIN) for _ in range(4)]
        async with nobody_else_in_office(served, everybody):
            answers = await asyncio.gather(
                *(p.http.put(f"{V1}/users/{p.id}/role", json={"role": "user"}) for p in everybody)
            )
            left = await served.house.db.fetchval(
                "SELECT count(*) FROM users WHERE role = 'admin' AND deactivated_at IS NULL"
            )
        refused = [a for a in answers if a.status_code == 409]
        assert left == len(refused) == 1
        assert code_of(refused[0]) == (409, "last-admin")
