"""Second factors, passkeys and fresh proofs: everybody's own, and their reset for admins."""

import pyotp
from asyncpg import Record

from app.accounts.queries.passkeys import insert_passkey
from app.infra.passkeys import NewPasskey
from app.kit.clock import now
from app.kit.ids import new_id
from tests.security.matrix.rows import Given, Row, Scene, everybody, only, own, sends, signed_in
from tests.support.house import PASSWORD

NO_SIGN_IN = "no-such-sign-in"


async def a_started_app(scene: Scene) -> Given:
    if scene.who is None:
        return Given(json={"code": "000000"})
    started = await scene.world.house.factors.start_totp(scene.who.principal)
    return Given(json={"code": pyotp.TOTP(started.secret).at(now())})


async def an_app(scene: Scene) -> Given:
    if scene.who is not None:
        await scene.world.house.factors.start_totp(scene.who.principal)
        await scene.world.house.db.execute(
            "UPDATE totp_secrets SET enabled_at = now() WHERE user_id = $1", scene.who.id
        )
    return Given()


async def _passkey(scene: Scene) -> Record:
    shown = NewPasskey(new_id().encode(), b"key", 0, (), is_synced=False)
    row = await insert_passkey(
        scene.world.house.db, new_id(), scene.owner.id, b"handle", "Key", shown
    )
    assert row is not None
    return row


async def a_passkey(scene: Scene) -> Given:
    return Given({"passkey_id": (await _passkey(scene))["id"]})


async def a_new_name(scene: Scene) -> Given:
    return Given({"passkey_id": (await _passkey(scene))["id"]}, json={"name": "Another"})


async def a_person(scene: Scene) -> Given:
    return Given({"user_id": scene.owner.id})


ROWS = {
    "giveSecondFactor": Row(everybody(401), sends(token=NO_SIGN_IN, method="totp", code="000000")),
    "startPasskeySecondFactor": Row(everybody(401), sends(token=NO_SIGN_IN)),
    "confirmIdentity": Row(signed_in(200), sends(method="password", password=PASSWORD)),
    "startPasskeyConfirmation": Row(signed_in(200)),
    "getFactors": Row(signed_in(200)),
    "startTotp": Row(signed_in(200)),
    "enableTotp": Row(signed_in(200), a_started_app),
    "disableTotp": Row(signed_in(204), an_app),
    "renewRecoveryCodes": Row(signed_in(200), an_app),
    "startPasskeyRegistration": Row(signed_in(200)),
    "addPasskey": Row(signed_in(403), sends(name="Key", credential={})),
    "renamePasskey": Row(own(200), a_new_name),
    "removePasskey": Row(own(204), a_passkey),
    "startPasskeySignIn": Row(everybody(200)),
    "signInWithPasskey": Row(everybody(403), sends(credential={})),
    "resetUserFactors": Row(only("admin", status=200), a_person),
}
