"""S3: a session's token is made at the door and nowhere else, and both of its ends are kept."""

import httpx
import pytest

from app.accounts.service.sessions import TOKEN_BYTES, new_token
from app.http.sessions import COOKIE_NAME
from app.kit.principal import Role
from tests.support.house import PASSWORD
from tests.support.world import Actor, World

V1 = "/api/v1"
PLANTED = "a" * 43
DAY_S = 86_400
IDLE_S = {Role.USER: 14 * DAY_S, Role.TEACHER: 14 * DAY_S, Role.MODERATOR: 1800, Role.ADMIN: 1800}
ABSOLUTE_S = {
    Role.USER: 90 * DAY_S,
    Role.TEACHER: 90 * DAY_S,
    Role.MODERATOR: 12 * 3600,
    Role.ADMIN: 12 * 3600,
}
MARGIN_S = 30


def browser(world: World, token: str) -> dict[str, str]:
    """A page of our own with this cookie."""
    return {"cookie": f"{COOKIE_NAME}={token}", "origin": world.served.url}


def new_cookie(answer: httpx.Response) -> str:
    """The token that the answer sets."""
    assert answer.is_success, answer.text
    return answer.headers["set-cookie"].partition("=")[2].partition(";")[0]


async def is_in(world: World, token: str) -> bool:
    """Whether somebody is signed in with this cookie."""
    answer = await world.http.get(f"{V1}/users/me", headers=browser(world, token))
    return answer.status_code == 200


async def through(world: World, door: str, token: str, who: Actor | None = None) -> str:
    """The cookie after coming in by a door with a cookie that was there before."""
    email = who.principal.email if who else f"{world.name('new').replace(' ', '')}@example.org"
    form = {"email": email, "password": PASSWORD}
    answer = await world.http.post(f"{V1}/auth/{door}", json=form, headers=browser(world, token))
    return new_cookie(answer)


def test_v7_2_3_tokens_have_256_random_bits() -> None:
    """Twice what is asked for, from the system's generator."""
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert TOKEN_BYTES * 8 == 256
    assert min(len(token) for token in tokens) == 43


@pytest.mark.parametrize("door", ["login", "signup"])
async def test_v7_2_4_planted_token_never_becomes_a_session(world: World, door: str) -> None:
    """S3: whoever chose the cookie before the sign-in has nothing afterwards."""
    who = await world.someone() if door == "login" else None
    token = await through(world, door, PLANTED, who)
    assert token != PLANTED
    assert await is_in(world, token)
    assert not await is_in(world, PLANTED)


@pytest.mark.parametrize("door", ["login", "signup"])
@pytest.mark.parametrize("whose", ["own", "somebody else's"])
async def test_v7_2_4_session_before_the_sign_in_ends(world: World, door: str, whose: str) -> None:
    """S3: a live session, of the same person or of whoever planted it, is not continued."""
    before = await world.someone()
    who = before if whose == "own" else await world.someone()
    token = await through(world, door, before.token, who if door == "login" else None)
    assert token != before.token
    assert await is_in(world, token)
    assert not await is_in(world, before.token)


async def test_v7_2_4_failed_sign_in_leaves_the_session(world: World) -> None:
    """Nobody is signed out by a typing error."""
    someone = await world.someone()
    form = {"email": someone.principal.email, "password": "not-this-one"}
    headers = browser(world, someone.token)
    answer = await world.http.post(f"{V1}/auth/login", json=form, headers=headers)
    assert answer.status_code == 401
    assert await is_in(world, someone.token)


async def test_v7_2_4_other_devices_stay(world: World) -> None:
    """One browser's sign-in is no other's affair."""
    here = await world.someone()
    there = await world.session_of(here.id)
    await through(world, "login", here.token, here)
    assert await is_in(world, there.token)


async def test_v7_2_4_token_in_an_address_is_ignored(world: World) -> None:
    """A session is never chosen by a link."""
    someone = await world.someone()
    for name in (COOKIE_NAME, "token", "session"):
        answer = await world.http.get(f"{V1}/users/me", params={name: someone.token})
        assert answer.status_code == 401


async def test_v7_2_4_role_change_ends_every_session(world: World) -> None:
    """New rights begin with a new sign-in."""
    someone, admin = await world.someone(), await world.someone(Role.ADMIN)
    url = f"{V1}/users/{someone.id}/role"
    answer = await world.http.put(url, json={"role": "teacher"}, headers=admin.bearer)
    assert answer.status_code == 200
    assert not await is_in(world, someone.token)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("end", ["idle", "absolute"])
async def test_v7_3_1_and_v7_3_2_both_ends(world: World, role: Role, end: str) -> None:
    """A session lives until its end and not longer; each role has its own two."""
    limits, column = (IDLE_S, "last_seen_at") if end == "idle" else (ABSOLUTE_S, "created_at")
    move = f"UPDATE sessions SET {column} = now() - make_interval(secs => $2) WHERE id = $1"
    for offset, expected in ((-MARGIN_S, True), (MARGIN_S, False)):
        someone = await world.someone(role)
        age = float(limits[role] + offset)
        await world.db.execute(move, someone.principal.session_id, age)
        assert await is_in(world, someone.token) is expected


async def test_v7_3_1_use_puts_the_idle_end_off_but_not_the_absolute_one(world: World) -> None:
    """Whoever comes every day stays for 90 days at most."""
    someone = await world.someone()
    await world.db.execute(
        "UPDATE sessions SET last_seen_at = now() - interval '13 days',"
        " created_at = now() - interval '90 days' + interval '30 seconds' WHERE id = $1",
        someone.principal.session_id,
    )
    assert await is_in(world, someone.token)
    row = await world.db.fetchrow(
        "SELECT now() - last_seen_at < interval '1 minute' AS seen, now() - created_at > "
        "interval '89 days' AS old FROM sessions WHERE id = $1",
        someone.principal.session_id,
    )
    assert row is not None
    assert (row["seen"], row["old"]) == (True, True)
