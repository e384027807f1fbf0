"""Passwords are taken as they are and kept as RFC 9106 says (ASVS 5.0, 6.2, 11.4)."""

import asyncio
import os
import re
import sys
import threading
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import httpx
import pytest

from app.infra.passwords import MAX_WAITING, Passwords
from app.kit.errors import Unavailable
from app.settings import Settings
from tests.support.world import World

PAGES = Path(__file__).parents[2] / "frontend-contract" / "reference-app" / "src"
UNUSUAL = [
    "p" * 7 + "\u00e9",
    "correct horse battery staple",
    "  spaces around stay  ",
    "\u043f\u0430\u0440\u043e\u043b\u044c-\u5bc6\u7801-\u0643\u0644\u0645\u0629",
    "\U0001f40e\U0001f50b" * 4,
    "e\u0301" * 8,
    "all lower case only",
    "1111 2222 3333",
    "x" * 64 + "y",
    "long and exact " * 68,
]

FORMS: tuple[Literal["NFC", "NFD", "NFKC"], ...] = ("NFC", "NFD", "NFKC")


async def log_in(http: httpx.AsyncClient, email: str, password: str) -> int:
    form = {"email": email, "password": password, "transport": "bearer"}
    return (await http.post("/api/v1/auth/login", json=form)).status_code


@pytest.mark.parametrize("password", UNUSUAL, ids=range(len(UNUSUAL)))
async def test_v6_2_8_any_password_is_taken_as_it_is(world: World, password: str) -> None:
    """No rule of composition, nothing trimmed, folded, normalised or cut: what differs is wrong."""
    email = f"{world.name('pw').replace(' ', '')}@example.org"
    form = {"email": email, "password": password}
    assert (await world.http.post("/api/v1/auth/signup", json=form)).status_code == 201
    assert await log_in(world.http, email, password) == 200
    near = {password[:-1], password.strip(), password.swapcase(), password + " "}
    near |= {normalize(form, password) for form in FORMS}
    near -= {password}
    for other in near:
        assert await log_in(world.http, email, other) == 401


@pytest.mark.parametrize("size", [1025, 4096, 500_000])
async def test_v6_2_9_beyond_the_bound_is_refused_with_a_reason(world: World, size: int) -> None:
    """1024 characters are enough for everybody, and hashing costs the same for each."""
    email = f"{world.name('pw').replace(' ', '')}@example.org"
    form = {"email": email, "password": "x" * size}
    answer = await world.http.post("/api/v1/auth/signup", json=form)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "password"


async def test_v11_4_2_hashes_are_argon2id_of_rfc_9106() -> None:
    """The defaults are the second recommended profile; the limits of tests are no defaults."""
    names, values = Settings.__struct_fields__, Settings.__struct_defaults__
    defaults = dict(zip(names[-len(values) :], values, strict=True))
    passwords = Passwords(
        time_cost=defaults["password_hash_time_cost"],
        memory_kib=defaults["password_hash_memory_kib"],
        parallelism=defaults["password_hash_parallelism"],
        concurrency=1,
    )
    try:
        hashed = await passwords.hash("correct horse battery staple")
    finally:
        passwords.close()
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own there")
def test_v15_2_2_hashing_stands_back_behind_answers() -> None:
    """Guessing makes sign-ins slow, and never what people are reading."""
    passwords = Passwords(time_cost=1, memory_kib=8, parallelism=1, concurrency=1)
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    look = passwords._pool.submit(
        lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    )
    try:
        assert look.result() == 19 > own
    finally:
        passwords.close()


async def test_v15_2_2_few_wait_for_their_hash() -> None:
    """A class may sign in at once; whoever would wait too long hears so."""
    passwords = Passwords(time_cost=1, memory_kib=8, parallelism=1, concurrency=1)
    held = threading.Event()
    passwords._pool.submit(held.wait)
    waiting = [
        asyncio.create_task(passwords.hash(f"password {number}")) for number in range(MAX_WAITING)
    ]
    try:
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await passwords.hash("one too many")
        held.set()
        assert len(set(await asyncio.gather(*waiting))) == len(waiting)
        await passwords.hash("there is room again")
    finally:
        held.set()
        passwords.close()


def test_v6_2_6_fields_mask_and_take_pasted_words() -> None:
    """Every field for a password is of that type, names itself to password managers, and nothing
    in the pages stands in the way of pasting."""
    text = "\n".join(path.read_text() for path in PAGES.rglob("*.tsx"))
    fields = [
        field for field in re.findall(r"<Field\b.*?/>", text, re.DOTALL) if "-password" in field
    ]
    assert len(fields) >= 3
    for field in fields:
        assert 'type="password"' in field, field
    assert re.search(r"onPaste|onpaste", text) is None
