"""Passkeys: made by their owner, good for a sign-in alone or as its second step."""

from dataclasses import replace

import httpx
import pytest

from app.http.sessions import COOKIE_NAME
from app.kit.principal import Method
from tests.api.test_accounts import code_of
from tests.api.test_second_factor import deeds
from tests.support.authenticator import PRESENT, Authenticator
from tests.support.factors import V1, enrol, first_step, make_stale, second_step, step_token
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
async def owner(person: MakePerson, device: Authenticator) -> Person:
    """A new person whose passkey is on `device`."""
    someone = await person()
    (await add(someone, device)).raise_for_status()
    return someone


class TestAddPasskey:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient) -> None:
        """A passkey belongs to somebody."""
        for what in ("passkeys/registration", "passkeys"):
            answer = await nobody.post(f"{V1}/auth/{what}", json={})
            assert code_of(answer) == (401, "unauthorized")

    async def test_somebody_elses_challenge_is_refused(
        self, person: MakePerson, device: Authenticator
    ) -> None:
        """Nobody can make their passkey somebody else's."""
        one, other = await person(), await person()
        made = device.create(await options(one.http, "passkeys/registration"))
        form = {"name": NAME, "credential": made}
        answer = await other.http.post(f"{V1}/auth/passkeys", json=form)
        assert code_of(answer) == (403, "passkey-refused")

    async def test_first_factor_brings_recovery_codes(
        self, served: Served, person: MakePerson, device: Authenticator
    ) -> None:
        """The passkey is listed, the deed recorded, and there are codes for the day it is lost."""
        someone = await person()
        answer = await add(someone, device)
        assert answer.status_code == 201
        assert len(answer.json()["recovery_codes"]) == 10
        assert answer.headers["cache-control"] == "no-store"
        factors = (await someone.http.get(f"{V1}/auth/factors")).json()
        assert factors["passkeys"] == [answer.json()["passkey"]]
        assert factors["passkeys"][0]["name"] == NAME
        assert factors["confirm_with"] == ["passkey", "recovery"]
        assert await deeds(served, someone.id) == ["user.passkey-added"]

    async def test_second_passkey_keeps_codes_and_handle(
        self, served: Served, owner: Person, device: Authenticator
    ) -> None:
        """All passkeys know the person by one random name; the browser is told which are there."""
        asked = await options(owner.http, "passkeys/registration")
        assert [one["id"] for one in asked["excludeCredentials"]] == [  # type: ignore[attr-defined]
            device.get(asked)["id"]
        ]
        other = Authenticator(served.url)
        answer = await add(owner, other)
        assert "recovery_codes" not in answer.json()
        assert other.handle == device.handle
        assert len(device.handle) == 64

    async def test_v7_5_1_asks_for_a_fresh_proof(
        self, served: Served, owner: Person, device: Authenticator
    ) -> None:
        """A stale session neither begins nor ends making one, and removes none."""
        listed = (await owner.http.get(f"{V1}/auth/factors")).json()["passkeys"]
        await make_stale(served, owner)
        form = {"name": NAME, "credential": {}}
        for answer in (
            await owner.http.post(f"{V1}/auth/passkeys/registration"),
            await owner.http.post(f"{V1}/auth/passkeys", json=form),
            await owner.http.delete(f"{V1}/auth/passkeys/{listed[0]['id']}"),
        ):
            assert code_of(answer) == (403, "fresh-proof-required")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"origin": "https://sicerdas.example.com"},
            {"rp_id": "sicerdas.example.com"},
            {"flags": PRESENT},
            {"flags": 0},
        ],
    )
    async def test_other_page_domain_or_no_verified_user(
        self, person: MakePerson, device: Authenticator, wrong: dict[str, object]
    ) -> None:
        """Origin, domain and the verified user are checked, not believed."""
        answer = await add(await person(), replace(device, **wrong))
        assert code_of(answer) == (403, "passkey-refused")

    async def test_challenge_is_good_once(self, person: MakePerson, device: Authenticator) -> None:
        """Right or wrong, its first answer uses a challenge up."""
        someone = await person()
        asked = await options(someone.http, "passkeys/registration")
        cheat = replace(device, origin="https://sicerdas.example.com")
        for maker in (cheat, device):
            form = {"name": NAME, "credential": maker.create(asked)}
            answer = await someone.http.post(f"{V1}/auth/passkeys", json=form)
            assert code_of(answer) == (403, "passkey-refused")

    async def test_passkey_belongs_to_one_person(
        self, owner: Person, person: MakePerson, device: Authenticator
    ) -> None:
        """The same credential cannot be added to another account."""
        answer = await add(await person(), device)
        assert code_of(answer) == (403, "passkey-refused")
        assert owner.id

    async def test_list_is_bounded(self, served: Served, owner: Person) -> None:
        """Twenty are enough for anybody."""
        for _ in range(19):
            (await add(owner, Authenticator(served.url))).raise_for_status()
        answer = await owner.http.post(f"{V1}/auth/passkeys/registration")
        assert code_of(answer) == (409, "too-many-passkeys")

    @pytest.mark.parametrize(
        "credential",
        [{}, {"response": 1}, {"rawId": 7, "response": {"clientDataJSON": "bm8"}}, {"x": "é"}],
    )
    async def test_rubbish_is_refused(
        self, nobody: httpx.AsyncClient, learner: Person, credential: object
    ) -> None:
        """What no browser made is refused like a wrong answer."""
        form = {"name": NAME, "credential": credential}
        added = await learner.http.post(f"{V1}/auth/passkeys", json=form)
        assert code_of(added) == (403, "passkey-refused")
        assert code_of(await sign_in(nobody, credential)) == (403, "passkey-refused")


class TestOwnPasskeys:
    async def test_somebody_elses_does_not_exist(self, owner: Person, person: MakePerson) -> None:
        """A stranger can neither rename nor remove it."""
        listed = (await owner.http.get(f"{V1}/auth/factors")).json()["passkeys"]
        url, stranger = f"{V1}/auth/passkeys/{listed[0]['id']}", await person()
        renamed = await stranger.http.put(url, json={"name": "Mine"})
        assert code_of(renamed) == (404, "not-found")
        assert code_of(await stranger.http.delete(url)) == (404, "not-found")

    async def test_renamed_and_removed(
        self, served: Served, nobody: httpx.AsyncClient, owner: Person, device: Authenticator
    ) -> None:
        """A removed passkey opens nothing; with the last factor the recovery codes go."""
        listed = (await owner.http.get(f"{V1}/auth/factors")).json()["passkeys"]
        url = f"{V1}/auth/passkeys/{listed[0]['id']}"
        renamed = await owner.http.put(url, json={"name": " Phone "})
        assert renamed.json() == listed[0] | {"name": "Phone"}
        assert (await owner.http.delete(url)).status_code == 204
        factors = (await owner.http.get(f"{V1}/auth/factors")).json()
        assert (factors["passkeys"], factors["recovery_codes_left"]) == ([], 0)
        assert factors["confirm_with"] == ["password"]
        asked = await options(nobody, "passkeys/sign-in/options")
        assert code_of(await sign_in(nobody, device.get(asked))) == (403, "passkey-refused")
        assert "token" in (await first_step(nobody, owner)).json()
        assert await deeds(served, owner.id) == ["user.passkey-added", "user.passkey-removed"]


class TestSignIn:
    async def test_passkey_alone_is_both_factors(
        self, served: Served, nobody: httpx.AsyncClient, owner: Person, device: Authenticator
    ) -> None:
        """No name, no password, no second step; the session knows how."""
        await enrol(served, nobody, owner)
        asked = await options(nobody, "passkeys/sign-in/options")
        assert asked["allowCredentials"] == []
        assert asked["userVerification"] == "required"
        answer = await sign_in(nobody, device.get(asked))
        assert answer.json()["user"]["id"] == owner.id
        principal = await served.house.sessions.principal_by_token(answer.json()["token"])
        assert principal is not None
        assert principal.methods == (Method.PASSKEY,)

    async def test_browser_has_its_cookie(
        self, nobody: httpx.AsyncClient, owner: Person, device: Authenticator
    ) -> None:
        """Without `transport` the token stays out of reach of scripts."""
        credential = device.get(await options(nobody, "passkeys/sign-in/options"))
        url = f"{V1}/auth/passkeys/sign-in"
        answer = await nobody.post(url, json={"credential": credential})
        assert answer.headers["set-cookie"].startswith(f"{COOKIE_NAME}=")
        assert "token" not in answer.json()
        assert answer.json()["user"]["id"] == owner.id

    @pytest.mark.parametrize(
        "wrong",
        [
            {"origin": "https://sicerdas.example.com"},
            {"rp_id": "sicerdas.example.com"},
            {"flags": PRESENT},
            {"handle": b"somebody else"},
            {"credential_id": b"unknown"},
        ],
    )
    async def test_cheats_are_refused(
        self,
        nobody: httpx.AsyncClient,
        owner: Person,
        device: Authenticator,
        wrong: dict[str, object],
    ) -> None:
        """Another page, another domain, an unverified user, another person, an unknown passkey."""
        asked = await options(nobody, "passkeys/sign-in/options")
        genuine = vars(device).copy()
        vars(device).update(wrong)
        assert code_of(await sign_in(nobody, device.get(asked))) == (403, "passkey-refused")
        vars(device).update(genuine)
        asked = await options(nobody, "passkeys/sign-in/options")
        assert (await sign_in(nobody, device.get(asked))).json()["user"]["id"] == owner.id

    async def test_wrong_key_is_refused(
        self, nobody: httpx.AsyncClient, owner: Person, device: Authenticator
    ) -> None:
        """Whoever knows the id of a passkey does not have it."""
        thief = Authenticator(device.origin, credential_id=device.credential_id)
        thief.handle = device.handle
        asked = await options(nobody, "passkeys/sign-in/options")
        assert code_of(await sign_in(nobody, thief.get(asked))) == (403, "passkey-refused")
        assert owner.id

    async def test_answer_is_good_once(
        self, nobody: httpx.AsyncClient, owner: Person, device: Authenticator
    ) -> None:
        """A recorded answer opens nothing."""
        credential = device.get(await options(nobody, "passkeys/sign-in/options"))
        assert (await sign_in(nobody, credential)).json()["user"]["id"] == owner.id
        assert code_of(await sign_in(nobody, credential)) == (403, "passkey-refused")

    async def test_challenge_expires(
        self, served: Served, nobody: httpx.AsyncClient, owner: Person, device: Authenticator
    ) -> None:
        """After five minutes the browser must ask anew."""
        credential = device.get(await options(nobody, "passkeys/sign-in/options"))
        await served.house.db.execute("UPDATE passkey_challenges SET expires_at = now()")
        assert code_of(await sign_in(nobody, credential)) == (403, "passkey-refused")
        assert owner.id

    async def test_challenge_for_another_purpose_is_refused(
        self, nobody: httpx.AsyncClient, owner: Person, device: Authenticator
    ) -> None:
        """What was signed to confirm an act signs nobody in."""
        credential = device.get(await options(owner.http, "confirm/passkey"))
        assert code_of(await sign_in(nobody, credential)) == (403, "passkey-refused")

    async def test_cloned_authenticator_is_refused(
        self, nobody: httpx.AsyncClient, owner: Person, device: Authenticator
    ) -> None:
        """A counter that does not grow betrays a copy (WebAuthn level 3, 6.1.1)."""
        for _ in range(3):
            credential = device.get(await options(nobody, "passkeys/sign-in/options"))
            assert (await sign_in(nobody, credential)).json()["user"]["id"] == owner.id
        device.counter = 1
        credential = device.get(await options(nobody, "passkeys/sign-in/options"))
        assert code_of(await sign_in(nobody, credential)) == (403, "passkey-refused")

    async def test_closed_account_stays_closed(
        self, served: Served, nobody: httpx.AsyncClient, owner: Person, device: Authenticator
    ) -> None:
        """A passkey opens no closed account."""
        query = "UPDATE users SET deactivated_at = now() WHERE id = $1"
        await served.house.db.execute(query, owner.id)
        credential = device.get(await options(nobody, "passkeys/sign-in/options"))
        assert code_of(await sign_in(nobody, credential)) == (403, "account-deactivated")


class TestAsSecondProof:
    async def test_second_step(
        self, nobody: httpx.AsyncClient, owner: Person, device: Authenticator
    ) -> None:
        """After the password the browser offers this person's passkeys alone."""
        token = await step_token(nobody, owner)
        asked = await options(nobody, "second-factor/passkey", token=token)
        (allowed,) = asked["allowCredentials"]  # type: ignore[misc]
        credential = device.get(asked)
        assert allowed["id"] == credential["id"]
        answer = await second_step(nobody, token, "passkey", credential=credential)
        assert answer.json()["user"]["id"] == owner.id

    async def test_somebody_elses_passkey_is_refused(
        self, served: Served, nobody: httpx.AsyncClient, owner: Person, person: MakePerson
    ) -> None:
        """The passkey must belong to whoever gave the password."""
        other = Authenticator(served.url)
        await add(await person(), other)
        token = await step_token(nobody, owner)
        credential = other.get(await options(nobody, "second-factor/passkey", token=token))
        answer = await second_step(nobody, token, "passkey", credential=credential)
        assert code_of(answer) == (403, "passkey-refused")

    async def test_confirms(
        self, served: Served, nobody: httpx.AsyncClient, owner: Person, device: Authenticator
    ) -> None:
        """A passkey opens dangerous acts."""
        await make_stale(served, owner)
        credential = device.get(await options(owner.http, "confirm/passkey"))
        form = {"method": "passkey", "credential": credential}
        answer = await owner.http.post(f"{V1}/auth/confirm", json=form)
        headers = {"authorization": f"Bearer {answer.json()['token']}"}
        assert (await nobody.post(f"{V1}/auth/totp", headers=headers)).status_code == 200
