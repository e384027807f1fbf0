"""Whose mailbox an account may move to: one of whoever asked for it.

A stranger asks to move their account to somebody's address, waits for its owner to press the button
in the mail, and would share with them whatever they come to with that address later.
"""

import httpx

from app.accounts.schemas import Purpose
from tests.support.house import PASSWORD, MakePerson, Served
from tests.support.mailbox import Mailbox
from tests.support.mailed import (
    CHANGE,
    MAGIC,
    ME,
    NEW_PASSWORD,
    RESET,
    SIGNUP,
    UNUSABLE,
    VERIFY,
    ask,
    new_email,
)
from tests.support.problems import code_of

NEEDED = (403, "owner-needed")


async def test_v6_3_4_owner_of_the_mailbox_lets_no_stranger_move_there(
    nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
) -> None:
    """They press the button, in their own session or in none: nothing moves, and they can set no
    password for an account that is not theirs."""
    stranger, owner, address = await person(), await person(), new_email()
    (await stranger.http.post(CHANGE, json={"email": address})).raise_for_status()
    body = {"token": await mailbox.token(address, "/verify")}
    assert code_of(await nobody.post(VERIFY, json=body)) == NEEDED
    assert code_of(await owner.http.post(VERIFY, json=body)) == NEEDED
    form = body | {"password": NEW_PASSWORD}
    assert code_of(await nobody.post(RESET, json=form)) == UNUSABLE
    assert (await stranger.http.get(ME)).json()["email"] == stranger.email


async def test_password_moves_it_on_another_device(
    nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
) -> None:
    """A wrong one is told and does not use the link up."""
    someone, address = await person(), new_email()
    (await someone.http.post(CHANGE, json={"email": address})).raise_for_status()
    token = await mailbox.token(address, "/verify")
    wrong = await nobody.post(VERIFY, json={"token": token, "password": NEW_PASSWORD})
    assert code_of(wrong) == (403, "wrong-password")
    answer = await nobody.post(VERIFY, json={"token": token, "password": PASSWORD})
    assert answer.json()["done"] == "changed"
    assert (await someone.http.get(ME)).json()["email"] == address


async def test_v6_3_1_guesses_are_slowed_down(
    nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
) -> None:
    """As at the login, of which this is a part; the owner's session is not held back by it."""
    someone, address = await person(), new_email()
    (await someone.http.post(CHANGE, json={"email": address})).raise_for_status()
    body = {"token": await mailbox.token(address, "/verify")}
    guess = body | {"password": NEW_PASSWORD}
    answers = [await nobody.post(VERIFY, json=guess) for _ in range(8)]
    assert answers[-1].status_code == 429
    assert (await someone.http.post(VERIFY, json=body)).json()["done"] == "changed"


async def test_v7_4_3_stranger_s_links_end_with_the_first_proof_of_the_mailbox(
    served: Served, nobody: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    """Who signed up with somebody's address and asked to move the account on is out when its owner
    comes in by mail, with that request as well."""
    email, elsewhere = new_email(), new_email()
    form = {"email": email, "password": PASSWORD}
    async with httpx.AsyncClient(base_url=served.url) as stranger:
        signed = await stranger.post(SIGNUP, json=form)
        headers = {"cookie": signed.headers["set-cookie"].partition(";")[0], "origin": served.url}
        asked = await stranger.post(CHANGE, json={"email": elsewhere}, headers=headers)
    assert asked.status_code == 202
    await mailbox.token(elsewhere, "/verify")
    await ask(nobody, MAGIC, email)
    body = {"token": await mailbox.token(email, "/sign-in")}
    user = (await nobody.post(MAGIC, json=body)).raise_for_status().json()["user"]
    left = "SELECT purpose FROM mail_tokens WHERE user_id = $1"
    rows = await served.house.db.fetch(left, user["id"])
    assert Purpose.CHANGE not in {row["purpose"] for row in rows}
