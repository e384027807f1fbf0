"""The audit log over real HTTP."""

import httpx

from app.kit.principal import Role
from tests.support.house import MakePerson, Person

URL = "/api/v1/audit"


async def test_anonymous_reads_nothing(nobody: httpx.AsyncClient) -> None:
    """The log is not public."""
    for path in (URL, f"{URL}/chain"):
        assert (await nobody.get(path)).status_code == 401


async def test_moderator_reads_nothing(moderator: Person) -> None:
    """Admins only."""
    for path in (URL, f"{URL}/chain"):
        answer = await moderator.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_admin_finds_a_deed(admin: Person, person: MakePerson) -> None:
    """A promotion stands in the log with who, whom, from and to."""
    somebody = await person(Role.USER)
    await admin.http.put(f"/api/v1/users/{somebody.id}/role", json={"role": "teacher"})
    params = {"target_type": "user", "target_id": str(somebody.id), "action": "user.role-set"}
    page = (await admin.http.get(URL, params=params)).json()
    assert [(e["actor_id"], e["detail"]) for e in page["items"]] == [
        (admin.id, {"from": "user", "to": "teacher"})
    ]


async def test_pages_are_gapless(admin: Person, person: MakePerson) -> None:
    """The numbers of the log follow each other without a hole, across pages."""
    for _ in range(2):
        somebody = await person(Role.USER)
        await admin.http.put(f"/api/v1/users/{somebody.id}/role", json={"role": "teacher"})
    first = (await admin.http.get(URL, params={"limit": 1})).json()
    rest = (await admin.http.get(URL, params={"limit": 1, "cursor": first["next"]})).json()
    assert first["items"][0]["id"] == rest["items"][0]["id"] + 1


async def test_chain_is_intact(admin: Person) -> None:
    """What the whole run wrote is one unbroken chain."""
    state = (await admin.http.get(f"{URL}/chain")).json()
    assert state["intact"] is True
    assert state["broken_at"] is None


async def test_bad_parameters(admin: Person) -> None:
    """Refused as input."""
    for params in ({"limit": 0}, {"actor_id": 0}, {"cursor": "x"}, {"action": ""}):
        answer = await admin.http.get(URL, params=params)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")
