"""People with second factors, and the steps that tests of them share."""

from dataclasses import dataclass
from datetime import timedelta

import httpx
import pyotp

from app.kit.clock import now
from tests.support.house import PASSWORD, Person, Served

V1 = "/api/v1"
STEP = timedelta(seconds=30)


@dataclass
class Enrolled:
    """Somebody with an authenticator app and recovery codes; `headers` are their session's."""

    person: Person
    secret: str
    recovery_codes: list[str]
    headers: dict[str, str]

    def code(self, steps: int = 0) -> str:
        """What the app shows now, or so many steps from now."""
        return pyotp.TOTP(self.secret).at(now() + steps * STEP)


async def enrol(served: Served, nobody: httpx.AsyncClient, person: Person) -> Enrolled:
    """Set up an app for this person; their code of now stays unused."""
    started = (await person.http.post(f"{V1}/auth/totp")).raise_for_status().json()
    form = {"code": pyotp.TOTP(started["secret"]).at(now())}
    answer = (await person.http.post(f"{V1}/auth/totp/enable", json=form)).raise_for_status()
    await forget_steps(served, person.id)
    headers = {"authorization": f"Bearer {answer.json()['token']}"}
    return Enrolled(person, started["secret"], answer.json().get("recovery_codes", []), headers)


async def forget_steps(served: Served, user_id: int) -> None:
    """As if half a minute had passed since the last code."""
    await served.house.db.execute(
        "UPDATE totp_secrets SET last_step = 0 WHERE user_id = $1", user_id
    )


async def make_stale(served: Served, person: Person) -> None:
    """As if the last proof in all sessions of this person were 25 hours old: the tests' app asks
    for a fresh one after a day."""
    await served.house.db.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '25 hours' WHERE user_id = $1",
        person.id,
    )


async def first_step(nobody: httpx.AsyncClient, person: Person) -> httpx.Response:
    """What the right password is answered."""
    form = {"email": person.email, "password": PASSWORD, "transport": "bearer"}
    return await nobody.post(f"{V1}/auth/login", json=form)


async def second_step(
    nobody: httpx.AsyncClient, token: str, method: str = "totp", **given: object
) -> httpx.Response:
    """What the second proof is answered."""
    form = {"token": token, "method": method, "transport": "bearer", **given}
    return await nobody.post(f"{V1}/auth/second-factor", json=form)


async def step_token(nobody: httpx.AsyncClient, person: Person) -> str:
    """A sign-in of this person that waits for its second step."""
    answer = (await first_step(nobody, person)).raise_for_status()
    token: str = answer.json()["second_factor"]["token"]
    return token


async def deeds(served: Served, user_id: int) -> list[str]:
    """What the audit log says of this account."""
    query = "SELECT action FROM audit_log WHERE target_type = 'user' AND target_id = $1 ORDER BY id"
    return [row["action"] for row in await served.house.db.fetch(query, str(user_id))]
