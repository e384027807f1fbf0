"""Passkeys as their owners make them and sign in with them."""

import httpx
import pytest

from tests.support.authenticator import Authenticator
from tests.support.factors import V1
from tests.support.house import MakePerson, Person, Served

NAME = "Laptop"


async def options(client: httpx.AsyncClient, what: str, **form: object) -> dict[str, object]:
    """What the browser is asked to do."""
    answer = await client.post(f"{V1}/auth/{what}", json=form or None)
    found: dict[str, object] = answer.raise_for_status().json()["public_key"]
    return found


async def add(person: Person, device: Authenticator) -> httpx.Response:
    """Make a passkey; afterwards the person's client has the new token."""
    made = device.create(await options(person.http, "passkeys/registration"))
    answer = await person.http.post(f"{V1}/auth/passkeys", json={"name": NAME, "credential": made})
    if answer.is_success:
        person.http.headers["authorization"] = f"Bearer {answer.json()['token']}"
    return answer


async def sign_in(nobody: httpx.AsyncClient, credential: object) -> httpx.Response:
    """With a passkey alone."""
    form = {"credential": credential, "transport": "bearer"}
    return await nobody.post(f"{V1}/auth/passkeys/sign-in", json=form)


@pytest.fixture
def device(served: Served) -> Authenticator:
    """A new authenticator in a browser on our page."""
    return Authenticator(served.url)


@pytest.fixture
async def keyholder(person: MakePerson, device: Authenticator) -> Person:
    """A new person whose passkey is on `device`."""
    someone = await person()
    (await add(someone, device)).raise_for_status()
    return someone
