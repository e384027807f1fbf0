"""Whether a proof is right: a one-time code, a recovery code, the signature of a passkey."""

import secrets
from collections.abc import Iterable
from typing import Any, Literal, TypeVar

import structlog
from asyncpg import Connection

from app.accounts.queries import factors, passkeys
from app.accounts.schemas import Confirm, GiveSecondFactor, PasskeyOptions
from app.infra import totp
from app.infra.db import Queryable
from app.infra.passkeys import (
    KnownPasskey,
    NotGenuine,
    RelyingParty,
    check_assertion,
    new_challenge,
    read_assertion,
    request_options,
)
from app.infra.vault import Unreadable, Vault
from app.kit.clock import now
from app.kit.errors import FieldError, InvalidInput
from app.kit.principal import Method
from app.kit.secret import Secret, challenge_hash, token_hash

T = TypeVar("T")
Purpose = Literal["sign-in", "second-factor", "confirm"]

RECOVERY_CODES = 10
RECOVERY_LETTERS = "abcdefghjkmnpqrstvwxyz23456789"
"""Without those that look like others."""
RECOVERY_GROUPS, RECOVERY_GROUP = 5, 5
"""25 letters of 30 are 122 bits: from 112 on a plain hash may keep them (ASVS 5.0, 6.5.2)."""

log = structlog.get_logger()


class Proofs:
    """Checks what a named person gives, inside the transaction that their row's lock is held in.

    A wrong proof is an answer, no exception: what was used up by it must be committed.
    """

    def __init__(self, secret: Secret, *, challenge_s: int) -> None:
        self._vault = Vault(secret, "totp")
        self._challenge_s = challenge_s

    async def check(
        self,
        tx: Connection,
        user_id: int,
        form: GiveSecondFactor | Confirm,
        purpose: Purpose,
        party: RelyingParty,
    ) -> Method | None:
        """How they proved it; None for a wrong proof. Raises InvalidInput for a missing part."""
        if form.method == "passkey":
            credential = _present("credential", form.credential)
            is_right = await self.check_passkey(tx, user_id, credential, purpose, party)
            return Method.PASSKEY if is_right else None
        code = _present("code", form.code)
        if form.method == "recovery":
            is_right = await factors.use_recovery_code(tx, user_id, recovery_hash(code))
            return Method.RECOVERY_CODE if is_right else None
        return Method.ONE_TIME_CODE if await self.check_totp(tx, user_id, code) else None

    # --- one-time codes

    def seal(self, secret: str, user_id: int) -> bytes:
        """An authenticator app's secret as it is stored."""
        return self._vault.seal(secret.encode(), str(user_id))

    async def check_totp(
        self, tx: Connection, user_id: int, code: str, *, is_first: bool = False
    ) -> bool:
        """Whether this is a code of now that was never used; `is_first` enables the secret."""
        row = await factors.totp_of(tx, user_id)
        if row is None or (row["enabled_at"] is None) != is_first:
            return False
        try:
            secret = self._vault.open(row["secret"], str(user_id)).decode()
        except Unreadable:
            log.exception("totp.unreadable", user_id=user_id)  # under another SICERDAS_SECRET
            return False
        step = totp.matching_step(secret, code, now(), after=row["last_step"])
        return step is not None and await factors.use_step(tx, user_id, step)

    # --- passkeys

    async def ask_passkey(
        self,
        db: Queryable,
        user_id: int | None,
        purpose: Purpose,
        party: RelyingParty,
        known: Iterable[KnownPasskey] = (),
    ) -> PasskeyOptions:
        """What a browser shall let a passkey sign; with none known the person picks one."""
        challenge = new_challenge()
        await passkeys.insert_challenge(
            db, challenge_hash(challenge), purpose, user_id, None, self._challenge_s
        )
        return PasskeyOptions(request_options(party, challenge, known))

    async def check_passkey(
        self,
        tx: Connection,
        user_id: int,
        credential: dict[str, Any],
        purpose: Purpose,
        party: RelyingParty,
    ) -> bool:
        """Whether this person's passkey signed the challenge that was asked for this purpose."""
        try:
            shown = read_assertion(credential)
            asked = None if purpose == "sign-in" else user_id
            hashed = challenge_hash(shown.challenge)
            if await passkeys.take_challenge(tx, hashed, purpose, asked) is None:
                return False
            key = await passkeys.lock_key(tx, user_id, shown.credential_id)
            if key is None or shown.user_handle not in {None, key["user_handle"]}:
                return False
            count = check_assertion(
                party, credential, shown.challenge, (key["public_key"], key["sign_count"])
            )
        except NotGenuine as fault:
            log.warning("passkey.refused", user_id=user_id, cause=repr(fault.__cause__)[:200])
            return False
        await passkeys.note_use(tx, key["id"], count)
        return True


def new_recovery_codes() -> list[str]:
    """Codes for the day on which the other factors are lost."""

    def group() -> str:
        return "".join(secrets.choice(RECOVERY_LETTERS) for _ in range(RECOVERY_GROUP))

    return ["-".join(group() for _ in range(RECOVERY_GROUPS)) for _ in range(RECOVERY_CODES)]


def recovery_hash(code: str) -> bytes:
    """What is kept of a recovery code; how it was typed does not matter."""
    return token_hash("".join(letter for letter in code.lower() if letter.isalnum()))


def _present(field: str, value: T | None) -> T:
    if value is None:
        raise InvalidInput(errors=[FieldError(field, "missing for this method")])
    return value
