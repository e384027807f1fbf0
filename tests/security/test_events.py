"""What the log says of sign-ins, refusals and attempts (ASVS 5.0, 16.3)."""

import json

import pytest

from tests.support.house import PASSWORD
from tests.support.world import World

V1 = "/api/v1"


def told(capsys: pytest.CaptureFixture[str], event: str) -> list[dict[str, object]]:
    """The lines of one kind since the last look."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line[:1] == "{"]
    return [line for line in lines if line["event"] == event]


async def test_v16_3_1_sign_ins_are_logged(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both ways it can end: who, from where, and by which proof."""
    who = await world.someone()
    capsys.readouterr()
    form = {"email": who.principal.email, "password": PASSWORD, "transport": "bearer"}
    await world.http.post(f"{V1}/auth/login", json=form)
    (line,) = told(capsys, "session.opened")
    assert (line["user_id"], line["methods"], line["address"]) == (who.id, ["pwd"], "127.0.0.1")
    await world.http.post(f"{V1}/auth/login", json={**form, "password": "wrong and long"})
    (line,) = told(capsys, "request.denied")
    assert (line["code"], line["address"]) == ("wrong-credentials", "127.0.0.1")


async def test_v16_3_2_refusals_are_logged(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signed-in person who may not: with their number; a visitor who looks is no attempt."""
    who = await world.someone()
    capsys.readouterr()
    await world.http.get(f"{V1}/users", headers=who.bearer)
    await world.http.get(f"{V1}/users/me")
    (line,) = told(capsys, "request.denied")
    assert (line["user_id"], line["code"], line["path"]) == (who.id, "forbidden", f"{V1}/users")


async def test_v16_3_3_attempts_are_logged(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Foreign pages and bad input: the code, and nothing of what was sent."""
    who = await world.someone()
    capsys.readouterr()
    headers = {**who.cookie, "origin": "https://evil.example"}
    await world.http.put(f"{V1}/users/me", json={"name": "x"}, headers=headers)
    await world.http.put(f"{V1}/users/me", json={"role": "admin"}, headers=who.bearer)
    lines = capsys.readouterr().out
    assert '"code": "foreign-origin"' in lines
    assert '"code": "invalid-input"' in lines
    assert "evil.example" not in lines
