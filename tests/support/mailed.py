"""Steps that tests of the mailed doors share."""

from uuid import uuid4

import httpx

from tests.support.house import PASSWORD

V1 = "/api/v1"
VERIFY, RESET, MAGIC = (
    f"{V1}/auth/verify-email",
    f"{V1}/auth/password-reset",
    f"{V1}/auth/magic-link",
)
LOGIN, SIGNUP, ME, CHANGE = (
    f"{V1}/auth/login",
    f"{V1}/auth/signup",
    f"{V1}/users/me",
    f"{V1}/users/me/email",
)
NEW_PASSWORD = "another-horse-battery"
UNUSABLE = (400, "link-unusable")


def new_email() -> str:
    """An address that nobody has."""
    return f"{uuid4().hex[:12]}@example.org"


async def signed_up(nobody: httpx.AsyncClient) -> str:
    """The address of somebody who has not confirmed it."""
    email = new_email()
    answer = await nobody.post(SIGNUP, json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201
    return email


async def profile(
    client: httpx.AsyncClient, email: str, password: str = PASSWORD
) -> dict[str, object]:
    """The account after a sign-in with the password."""
    answer = await client.post(LOGIN, json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    user: dict[str, object] = answer.json()["user"]
    return user


async def ask(client: httpx.AsyncClient, address: str, email: str) -> None:
    """Ask for a mail."""
    answer = await client.post(f"{address}/send", json={"email": email})
    assert (answer.status_code, answer.json()) == (202, {})
