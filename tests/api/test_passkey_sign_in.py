"""Signing in with a passkey, alone or as the second proof; every cheat is refused."""

from uuid import uuid4

import httpx
import pytest

from app.http.sessions import COOKIE_NAME
from app.kit.principal import Method
from tests.support.authenticator import PRESENT, Authenticator
from tests.support.factors import V1, enrol, make_stale, second_step, step_token
from tests.support.house import PASSWORD, MakePerson, Person, Served, serve, with_settings
from tests.support.passkeys import add, options, sign_in
from tests.support.problems import code_of


class TestSignIn:
    async def test_passkey_alone_is_both_factors(
        self, served: Served, nobody: httpx.AsyncClient, keyholder: Person, device: Authenticator
    ) -> None:
        """No name, no password, no second step; the session knows how."""
        await enrol(served, nobody, keyholder)
        asked = await options(nobody, "passkeys/sign-in/options")
        assert asked["allowCredentials"] == []
        assert asked["userVerification"] == "required"
        answer = await sign_in(nobody, device.get(asked))
        assert answer.json()["user"]["id"] == keyholder.id
        principal = await served.house.sessions.principal_by_token(answer.json()["token"])
        assert principal is not None
        assert principal.methods == (Method.PASSKEY,)

    async def test_browser_has_its_cookie(
        self, nobody: httpx.AsyncClient, keyholder: Person, device: Authenticator
    ) -> None:
        """Without `transport` the token stays out of reach of scripts."""
        credential = device.get(await options(nobody, "passkeys/sign-in/options"))
        url = f"{V1}/auth/passkeys/sign-in"
        answer = await nobody.post(url, json={"credential": credential})
        assert answer.headers["set-cookie"].startswith(f"{COOKIE_NAME}=")
        assert "token" not in answer.json()
        assert answer.json()["user"]["id"] == keyholder.id

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
        keyholder: Person,
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
        assert (await sign_in(nobody, device.get(asked))).json()["user"]["id"] == keyholder.id

    async def test_wrong_key_is_refused(
        self, nobody: httpx.AsyncClient, keyholder: Person, device: Authenticator
    ) -> None:
        """Whoever knows the id of a passkey does not have it."""
        thief = Authenticator(device.origin, credential_id=device.credential_id)
        thief.handle = device.handle
        asked = await options(nobody, "passkeys/sign-in/options")
        assert code_of(await sign_in(nobody, thief.get(asked))) == (403, "passkey-refused")
        assert keyholder.id

    async def test_answer_is_good_once(
        self, nobody: httpx.AsyncClient, keyholder: Person, device: Authenticator
    ) -> None:
        """A recorded answer opens nothing."""
        credential = device.get(await options(nobody, "passkeys/sign-in/options"))
        assert (await sign_in(nobody, credential)).json()["user"]["id"] == keyholder.id
        assert code_of(await sign_in(nobody, credential)) == (403, "passkey-refused")

    async def test_challenge_expires(
        self, served: Served, nobody: httpx.AsyncClient, keyholder: Person, device: Authenticator
    ) -> None:
        """After five minutes the browser must ask anew."""
        credential = device.get(await options(nobody, "passkeys/sign-in/options"))
        await served.house.db.execute("UPDATE passkey_challenges SET expires_at = now()")
        assert code_of(await sign_in(nobody, credential)) == (403, "passkey-refused")
        assert keyholder.id

    async def test_challenge_for_another_purpose_is_refused(
        self, nobody: httpx.AsyncClient, keyholder: Person, device: Authenticator
    ) -> None:
        """What was signed to confirm an act signs nobody in."""
        credential = device.get(await options(keyholder.http, "confirm/passkey"))
        assert code_of(await sign_in(nobody, credential)) == (403, "passkey-refused")

    async def test_cloned_authenticator_is_refused(
        self, nobody: httpx.AsyncClient, keyholder: Person, device: Authenticator
    ) -> None:
        """A counter that does not grow betrays a copy (WebAuthn level 3, 6.1.1)."""
        for _ in range(3):
            credential = device.get(await options(nobody, "passkeys/sign-in/options"))
            assert (await sign_in(nobody, credential)).json()["user"]["id"] == keyholder.id
        device.counter = 1
        credential = device.get(await options(nobody, "passkeys/sign-in/options"))
        assert code_of(await sign_in(nobody, credential)) == (403, "passkey-refused")

    async def test_v2_4_1_offers_are_counted_beside_the_sign_ins(
        self, served: Served, keyholder: Person
    ) -> None:
        """Every login page asks what a passkey may sign; that leaves room to sign in."""
        few = with_settings(
            served.settings, logins_per_address_per_minute=3, redis_prefix=f"{uuid4().hex}:"
        )
        async with serve(few) as app, httpx.AsyncClient(base_url=app.url) as client:
            url = f"{V1}/auth/passkeys/sign-in/options"
            answers = [await client.post(url) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            form = {"email": keyholder.email, "password": PASSWORD}
            assert (await client.post(f"{V1}/auth/login", json=form)).status_code == 200

    async def test_closed_account_stays_closed(
        self, served: Served, nobody: httpx.AsyncClient, keyholder: Person, device: Authenticator
    ) -> None:
        """A passkey opens no closed account."""
        query = "UPDATE users SET deactivated_at = now() WHERE id = $1"
        await served.house.db.execute(query, keyholder.id)
        credential = device.get(await options(nobody, "passkeys/sign-in/options"))
        assert code_of(await sign_in(nobody, credential)) == (403, "account-deactivated")


class TestAsSecondProof:
    async def test_second_step(
        self, nobody: httpx.AsyncClient, keyholder: Person, device: Authenticator
    ) -> None:
        """After the password the browser offers this person's passkeys alone."""
        token = await step_token(nobody, keyholder)
        asked = await options(nobody, "second-factor/passkey", token=token)
        (allowed,) = asked["allowCredentials"]  # type: ignore[misc]
        credential = device.get(asked)
        assert allowed["id"] == credential["id"]
        answer = await second_step(nobody, token, "passkey", credential=credential)
        assert answer.json()["user"]["id"] == keyholder.id

    async def test_somebody_elses_passkey_is_refused(
        self, served: Served, nobody: httpx.AsyncClient, keyholder: Person, person: MakePerson
    ) -> None:
        """The passkey must belong to whoever gave the password."""
        other = Authenticator(served.url)
        await add(await person(), other)
        token = await step_token(nobody, keyholder)
        credential = other.get(await options(nobody, "second-factor/passkey", token=token))
        answer = await second_step(nobody, token, "passkey", credential=credential)
        assert code_of(answer) == (403, "passkey-refused")

    async def test_confirms(
        self, served: Served, nobody: httpx.AsyncClient, keyholder: Person, device: Authenticator
    ) -> None:
        """A passkey opens dangerous acts."""
        await make_stale(served, keyholder)
        credential = device.get(await options(keyholder.http, "confirm/passkey"))
        form = {"method": "passkey", "credential": credential}
        answer = await keyholder.http.post(f"{V1}/auth/confirm", json=form)
        headers = {"authorization": f"Bearer {answer.json()['token']}"}
        assert (await nobody.post(f"{V1}/auth/totp", headers=headers)).status_code == 200
