"""What strangers learn from the doors that mail opens, and what a link can never do."""

import asyncio
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from tests.security.test_sockets import realtime_token
from tests.story.wire import connected
from tests.support.factors import enrol, make_stale
from tests.support.house import PASSWORD, MakePerson, Served, serve, with_settings
from tests.support.mailbox import Mailbox
from tests.support.mailed import (
    CHANGE,
    LOGIN,
    MAGIC,
    NEW_PASSWORD,
    RESET,
    SIGNUP,
    VERIFY,
    ask,
    new_email,
)
from tests.support.problems import code_of
from tests.support.state import state_of
from tests.support.timing import alternate
from tests.support.world import World

DOORS = [f"{VERIFY}/send", f"{RESET}/send", f"{MAGIC}/send", SIGNUP]
SEALED = re.compile(r"=[\w-]{40,}=*")
"""The mark of a browser that signed up: another each time, and always as long."""
REVOKED_WITHIN_S = 1.0


@pytest.fixture(scope="module")
async def strict(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app that wants verified addresses, as `serve` does."""
    settings = with_settings(served.settings, require_verified_email=True)
    async with serve(settings) as app, httpx.AsyncClient(base_url=app.url) as client:
        yield client


def body_for(door: str, email: str) -> dict[str, str]:
    """What this door takes."""
    return {"email": email} | ({"password": PASSWORD} if door == SIGNUP else {})


def _length(sealed: re.Match[str]) -> str:
    return f"={len(sealed[0])}"


def look(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """Everything a stranger sees but what is new in each answer."""
    moving = {"x-request-id", "date"}
    headers = {name: SEALED.sub(_length, text) for name, text in answer.headers.items()}
    headers = {name: text for name, text in headers.items() if name not in moving}
    return answer.status_code, answer.text, headers


@pytest.mark.parametrize("door", DOORS)
async def test_s5_v6_3_8_known_and_unknown_look_the_same(
    strict: httpx.AsyncClient, person: MakePerson, door: str
) -> None:
    """Status, body and headers tell nothing about an address."""
    known, unknown = (await person()).email, new_email()
    looks = [look(await strict.post(door, json=body_for(door, one))) for one in (known, unknown)]
    assert looks[0] == looks[1]
    assert looks[0][:2] == (202, "{}")


async def test_s5_v6_3_8_login_after_a_sign_up_tells_nothing(
    strict: httpx.AsyncClient, person: MakePerson, mailbox: Mailbox
) -> None:
    """Whoever signs up with an address and comes back with that password learns from neither
    whether it was free: until the mailbox answers, both are a wrong password."""
    looks = []
    for email in ((await person()).email, new_email()):
        form = {"email": email, "password": NEW_PASSWORD}
        assert (await strict.post(SIGNUP, json=form)).status_code == 202
        await mailbox.newest(email)
        looks.append(look(await strict.post(LOGIN, json=form)))
    assert looks[0] == looks[1]
    assert looks[0][0] == 401


@pytest.fixture(scope="module")
async def unattended(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client of such an app without a worker: jobs stay as they were written."""
    settings = with_settings(world.served.settings, require_verified_email=True)
    async with serve(settings) as app, httpx.AsyncClient(base_url=app.url) as client:
        yield client


@pytest.mark.parametrize("door", DOORS)
async def test_s5_v6_3_8_known_and_unknown_cost_the_same(
    world: World, unattended: httpx.AsyncClient, door: str
) -> None:
    """What a request writes is one job, alike in everything but its values; who lives there is
    looked up afterwards, when nobody waits for an answer."""
    known = (await world.someone(email=new_email())).principal.email
    written = []
    for email in (known, new_email()):
        before = await state_of(world.db)
        assert (await unattended.post(door, json=body_for(door, email))).status_code == 202
        after = await state_of(world.db)
        job = await world.db.fetchrow("SELECT kind, payload FROM jobs ORDER BY id DESC LIMIT 1")
        assert job is not None
        kinds = {name: type(value) for name, value in job["payload"].items()}
        changed = {name for name in after if after[name] != before[name]}
        written.append((changed, job["kind"], kinds))
    assert written[0] == written[1]
    assert written[0][0] == {"jobs"}


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("door", DOORS)
async def test_s5_v6_3_8_timing(strict: httpx.AsyncClient, person: MakePerson, door: str) -> None:
    """Median times of known and unknown addresses, printed; far apart they would be a sign."""
    known = [(await person()).email for _ in range(8)]

    async def knock(email: str) -> httpx.Response:
        return await strict.post(door, json=body_for(door, email))

    name = f"S5-{door.removeprefix('/api/v1/auth/').removesuffix('/send')}"
    (await alternate(knock, known, new_email)).conclude(name)


async def test_v2_4_1_one_mailbox_is_not_flooded(served: Served, person: MakePerson) -> None:
    """After ten requests a mailbox rests, whoever asks and whether or not it exists."""
    few = with_settings(
        served.settings, mails_per_account_per_hour=10, redis_prefix=f"{uuid4().hex}:"
    )
    looks = []
    async with serve(few) as app, httpx.AsyncClient(base_url=app.url) as client:
        for email in ((await person()).email, new_email()):
            answers = [await client.post(DOORS[1], json={"email": email}) for _ in range(12)]
            statuses = [answer.status_code for answer in answers]
            assert statuses == [202] * 10 + [429] * 2
            looks.append(re.sub(r"3\d\d", "3__", answers[-1].text))
    assert looks[0] == looks[1]


async def test_v6_4_3_link_does_not_replace_the_second_factor(
    nobody: httpx.AsyncClient, mailbox: Mailbox, served: Served, person: MakePerson
) -> None:
    """A thief of the mailbox alone stays outside: the link asks for the code as well, and a reset
    changes the password but not the second factor."""
    someone = await person()
    await enrol(served, nobody, someone)
    await ask(nobody, MAGIC, someone.email)
    body = {"token": await mailbox.token(someone.email, "/sign-in"), "transport": "bearer"}
    answer = await nobody.post(MAGIC, json=body)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert answer.json().get("token") is None
    assert "totp" in answer.json()["second_factor"]["methods"]
    await ask(nobody, RESET, someone.email)
    token = await mailbox.token(someone.email, "/reset")
    await nobody.post(RESET, json={"token": token, "password": NEW_PASSWORD})
    form = {"email": someone.email, "password": NEW_PASSWORD, "transport": "bearer"}
    answer = await nobody.post("/api/v1/auth/login", json=form)
    assert answer.json().get("token") is None
    assert "second_factor" in answer.json()


async def test_s2_reset_closes_open_sockets_at_once(
    nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
) -> None:
    """Whoever was in by the old password is out within a second (ASVS 7.4.3)."""
    someone = await person()
    await ask(nobody, RESET, someone.email)
    token = await mailbox.token(someone.email, "/reset")
    url = str(nobody.base_url)
    async with connected(url, await realtime_token(someone)) as wire:
        closed = asyncio.ensure_future(wire.closed())
        await nobody.post(RESET, json={"token": token, "password": NEW_PASSWORD})
        async with asyncio.timeout(REVOKED_WITHIN_S):
            await closed


async def test_v7_5_1_change_of_address_asks_for_a_fresh_proof(
    person: MakePerson, served: Served
) -> None:
    """An open laptop is not enough to move an account to another mailbox."""
    someone = await person()
    await make_stale(served, someone)
    answer = await someone.http.post(CHANGE, json={"email": new_email()})
    assert code_of(answer) == (403, "fresh-proof-required")


async def test_v14_2_1_no_token_stands_in_a_query_or_a_log(
    nobody: httpx.AsyncClient,
    mailbox: Mailbox,
    person: MakePerson,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A link's token is in its fragment, which no server is told, and in no line of the log."""
    someone = await person()
    await ask(nobody, RESET, someone.email)
    mail = await mailbox.newest(someone.email)
    token = await mailbox.token(someone.email, "/reset")
    assert all("?" not in link for link in mail.links)
    await nobody.post(RESET, json={"token": token, "password": "password123"})
    await nobody.post(RESET, json={"token": token + "x", "password": NEW_PASSWORD})
    await nobody.post(RESET, json={"token": token, "password": NEW_PASSWORD})
    said = capfd.readouterr()
    assert token not in said.out + said.err


async def test_v14_2_links_are_stored_as_hashes(
    nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson, served: Served
) -> None:
    """Whoever reads the table cannot use what stands in it."""
    someone = await person()
    await ask(nobody, MAGIC, someone.email)
    token = await mailbox.token(someone.email, "/sign-in")
    assert len(token) * 6 >= 256
    rows = await served.house.db.fetch(
        "SELECT encode(token_hash, 'escape') AS kept FROM mail_tokens WHERE user_id = $1",
        someone.id,
    )
    assert rows
    assert all(token not in row["kept"] for row in rows)


class TestDevMail:
    @pytest.mark.parametrize(
        "path", ["/dev/mail", "/dev/mail.json", "/dev/mail.css", "/dev/mail/0"]
    )
    @pytest.mark.parametrize("accept", ["text/html", "*/*"])
    async def test_v13_4_exists_in_dev_only(self, served: Served, path: str, accept: str) -> None:
        """An installation without the outbox of `dev` has no such address."""
        async with (
            serve(with_settings(served.settings, dev_outbox=None)) as app,
            httpx.AsyncClient(base_url=app.url) as client,
        ):
            answer = await client.get(path, headers={"accept": accept})
        assert answer.status_code == 404
        assert "application/json" not in answer.headers["content-type"]

    async def test_list_and_mail_to_click(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """The list links the mail, the mail its link; both forbid foreign content and storing."""
        someone = await person()
        await ask(nobody, RESET, someone.email)
        mail = await mailbox.newest(someone.email)
        listed = await nobody.get("/dev/mail")
        assert f'<a href="/dev/mail/{mail.id}">Set a new password</a>' in listed.text
        assert 'http-equiv="refresh"' in listed.text
        shown = await nobody.get(f"/dev/mail/{mail.id}")
        assert f'<a href="{mail.links[0]}">' in shown.text
        for answer in (listed, shown):
            assert answer.headers["cache-control"] == "no-store"
            assert "style=" not in answer.text
        entry = next(
            one for one in (await nobody.get("/dev/mail.json")).json() if one["id"] == mail.id
        )
        assert (entry["to"], entry["links"]) == (someone.email, list(mail.links))

    async def test_mail_is_shown_as_text(self, nobody: httpx.AsyncClient, mailbox: Mailbox) -> None:
        """An address is no markup."""
        email = f"{uuid4().hex[:8]}'&x@example.org"
        await nobody.post(SIGNUP, json={"email": email, "password": PASSWORD})
        mail = await mailbox.newest(email)
        page = (await nobody.get(f"/dev/mail/{mail.id}")).text
        assert email not in page
        assert "&#x27;&amp;x@example.org" in page
