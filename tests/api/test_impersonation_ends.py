"""An admin in somebody's name is out as soon as the admin is."""

import asyncio

import pytest

from app.kit.ids import new_id
from app.kit.principal import Role
from tests.api.test_impersonation import V1, WITHIN_S, Inside, enter, status_of
from tests.story.wire import connected
from tests.support.world import Actor, World


@pytest.mark.parametrize(
    "how",
    ["logout", "role", "sign-out", "deactivate", "delete", "erase", "factors/reset", "unlink"],
)
async def test_v8_3_2_ends_with_the_admin_within_a_second(world: World, how: str) -> None:
    """With the session, the role or the account behind it, on open sockets as well."""
    inside, boss = await enter(world), await world.someone(Role.ADMIN)
    answer = await world.http.get(f"{V1}/realtime/token", headers=inside.headers)
    async with connected(world.served.url, answer.json()["token"]) as wire:
        await end_the_admin(world, how, inside, boss)
        assert await asyncio.wait_for(wire.closed(), WITHIN_S) == 3503
    assert await status_of(world, inside.token) == 401
    assert await status_of(world, inside.person.token) == 200


async def end_the_admin(world: World, how: str, inside: Inside, boss: Actor) -> None:
    """One of the ways in which an admin stops being one."""
    admin = inside.admin
    url = f"{V1}/users/{admin.id}"
    if how == "logout":
        await world.http.post(f"{V1}/auth/logout", headers=admin.bearer)
    elif how == "role":
        await world.http.put(f"{url}/role", json={"role": "user"}, headers=boss.bearer)
    elif how == "erase":
        await world.http.delete(f"{V1}/users/me", headers=admin.bearer)
    elif how == "unlink":
        await unlink_elsewhere(world, admin)
    elif how == "delete":
        other = await world.session_of(admin.id)
        session = f"{V1}/auth/sessions/{admin.principal.session_id}"
        await world.http.delete(session, headers=other.bearer)
    else:
        await world.http.post(f"{url}/{how}", json={}, headers=boss.bearer)


async def unlink_elsewhere(world: World, admin: Actor) -> None:
    """The admin, who had come in by a provider, cuts it off from another session."""
    identity_id = new_id()
    sql = "INSERT INTO identities (id, user_id, provider, subject) VALUES ($1, $2, 'gone', $1)"
    await world.db.execute(sql, identity_id, admin.id)
    by_provider = "UPDATE sessions SET methods = '{fed}' WHERE id = $1"
    await world.db.execute(by_provider, admin.principal.session_id)
    other = await world.session_of(admin.id)
    url = f"{V1}/auth/identities/{identity_id}"
    assert (await world.http.delete(url, headers=other.bearer)).status_code == 204
