"""Further sign-ins of a person: their tokens, their sockets, and what is left of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from tests.story.wire import Wire, connected
from tests.support.house import PASSWORD, Person, Served

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


async def audited(served: Served, person: Person, action: str) -> list[int]:
    """Who did it, once for each entry."""
    rows = await served.house.db.fetch(
        "SELECT actor_id FROM audit_log WHERE target_id = $1 AND action = $2",
        str(person.id),
        action,
    )
    return [row["actor_id"] for row in rows]
