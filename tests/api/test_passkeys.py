"""Passkeys: made by their owner, good for a sign-in alone or as its second step."""

from dataclasses import replace

import httpx
import pytest

from tests.support.authenticator import PRESENT, Authenticator
from tests.support.factors import V1, deeds, first_step, make_stale
from tests.support.house import MakePerson, Person, Served
from tests.support.passkeys import NAME, add, options, sign_in
from tests.support.problems import code_of


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
        self, served: Served, keyholder: Person, device: Authenticator
    ) -> None:
        """All passkeys know the person by one random name; the browser is told which are there."""
        asked = await options(keyholder.http, "passkeys/registration")
        assert [one["id"] for one in asked["excludeCredentials"]] == [  # type: ignore[attr-defined]
            device.get(asked)["id"]
        ]
        other = Authenticator(served.url)
        answer = await add(keyholder, other)
        assert "recovery_codes" not in answer.json()
        assert other.handle == device.handle
        assert len(device.handle) == 64

    async def test_v7_5_1_asks_for_a_fresh_proof(
        self, served: Served, keyholder: Person, device: Authenticator
    ) -> None:
        """A stale session neither begins nor ends making one, and removes none."""
        listed = (await keyholder.http.get(f"{V1}/auth/factors")).json()["passkeys"]
        await make_stale(served, keyholder)
        form = {"name": NAME, "credential": {}}
        for answer in (
            await keyholder.http.post(f"{V1}/auth/passkeys/registration"),
            await keyholder.http.post(f"{V1}/auth/passkeys", json=form),
            await keyholder.http.delete(f"{V1}/auth/passkeys/{listed[0]['id']}"),
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
        self, keyholder: Person, person: MakePerson, device: Authenticator
    ) -> None:
        """The same credential cannot be added to another account."""
        answer = await add(await person(), device)
        assert code_of(answer) == (403, "passkey-refused")
        assert keyholder.id

    async def test_list_is_bounded(self, served: Served, keyholder: Person) -> None:
        """Twenty are enough for anybody."""
        for _ in range(19):
            (await add(keyholder, Authenticator(served.url))).raise_for_status()
        answer = await keyholder.http.post(f"{V1}/auth/passkeys/registration")
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
    async def test_somebody_elses_does_not_exist(
        self, keyholder: Person, person: MakePerson
    ) -> None:
        """A stranger can neither rename nor remove it."""
        listed = (await keyholder.http.get(f"{V1}/auth/factors")).json()["passkeys"]
        url, stranger = f"{V1}/auth/passkeys/{listed[0]['id']}", await person()
        renamed = await stranger.http.put(url, json={"name": "Mine"})
        assert code_of(renamed) == (404, "not-found")
        assert code_of(await stranger.http.delete(url)) == (404, "not-found")

    async def test_renamed_and_removed(
        self, served: Served, nobody: httpx.AsyncClient, keyholder: Person, device: Authenticator
    ) -> None:
        """A removed passkey opens nothing; with the last factor the recovery codes go."""
        listed = (await keyholder.http.get(f"{V1}/auth/factors")).json()["passkeys"]
        url = f"{V1}/auth/passkeys/{listed[0]['id']}"
        renamed = await keyholder.http.put(url, json={"name": " Phone "})
        assert renamed.json() == listed[0] | {"name": "Phone"}
        assert (await keyholder.http.delete(url)).status_code == 204
        factors = (await keyholder.http.get(f"{V1}/auth/factors")).json()
        assert (factors["passkeys"], factors["recovery_codes_left"]) == ([], 0)
        assert factors["confirm_with"] == ["password"]
        asked = await options(nobody, "passkeys/sign-in/options")
        assert code_of(await sign_in(nobody, device.get(asked))) == (403, "passkey-refused")
        assert "token" in (await first_step(nobody, keyholder)).json()
        assert await deeds(served, keyholder.id) == ["user.passkey-added", "user.passkey-removed"]
