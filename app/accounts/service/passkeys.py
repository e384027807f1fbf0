"""Passkeys: made and removed by their owner, and a sign-in that asks for nothing else."""

from typing import Any

from asyncpg import Connection

from app.accounts import policy
from app.accounts.queries import passkeys, users
from app.accounts.schemas import (
    AddPasskey,
    Admission,
    Client,
    FactorAdded,
    PasskeyOptions,
    PasskeyRefused,
    PasskeyView,
    TooManyPasskeys,
)
from app.accounts.service.doorway import Doorway
from app.accounts.service.factors import FactorSettings, codes_if_none_left, locked_user
from app.accounts.service.letterbox import Letterbox
from app.accounts.service.proofs import Proofs
from app.accounts.service.sessions import Sessions
from app.accounts.service.throttle import DoorThrottle
from app.audit.service import Audit
from app.infra.db import Database
from app.infra.passkeys import (
    NewPasskey,
    NotGenuine,
    RelyingParty,
    challenge_of,
    check_registration,
    creation_options,
    new_challenge,
    new_handle,
    read_assertion,
)
from app.kit.errors import NotFound
from app.kit.ids import new_id
from app.kit.principal import Method, Principal
from app.kit.secret import challenge_hash
from app.kit.text import tidy

MOST = 20
"""Passkeys of one person: a list that fits on a page."""


class Passkeys:
    """WebAuthn credentials of people."""

    def __init__(
        self,
        db: Database,
        sessions: Sessions,
        doorway: Doorway,
        proofs: Proofs,
        factor_settings: FactorSettings,
        throttle: DoorThrottle,
        audit: Audit,
        letterbox: Letterbox,
        *,
        challenge_s: int,
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._doorway = doorway
        self._proofs = proofs
        self._factor_settings = factor_settings
        self._throttle = throttle
        self._audit = audit
        self._letterbox = letterbox
        self._challenge_s = challenge_s

    # --- one's own passkeys

    async def start_registration(self, principal: Principal, party: RelyingParty) -> PasskeyOptions:
        """What the browser makes a passkey from. Raises FreshProofRequired, TooManyPasskeys."""
        policy.require_fresh(principal)
        known = await passkeys.known_to(self._db, principal.user_id)
        if len(known) >= MOST:
            raise TooManyPasskeys
        handle = await passkeys.handle_of(self._db, principal.user_id) or new_handle()
        challenge = new_challenge()
        await passkeys.insert_challenge(
            self._db,
            challenge_hash(challenge),
            "register",
            principal.user_id,
            handle,
            self._challenge_s,
        )
        person = (handle, principal.email, principal.name)
        return PasskeyOptions(creation_options(party, challenge, person, known))

    async def add(self, principal: Principal, form: AddPasskey, party: RelyingParty) -> FactorAdded:
        """The passkey that the browser made counts from now on.

        Raises FreshProofRequired, PasskeyRefused, TooManyPasskeys.
        """
        policy.require_fresh(principal)
        user_id, added = principal.user_id, None
        async with self._db.transaction() as tx:
            await locked_user(tx, user_id)
            made = await self._made(tx, user_id, form.credential, party)
            if made is not None:
                if len(await passkeys.known_to(tx, user_id)) >= MOST:
                    raise TooManyPasskeys
                shown, handle = made
                row = await passkeys.insert_passkey(
                    tx, new_id(), user_id, handle, tidy(form.name), shown
                )
                if row is None:
                    raise PasskeyRefused
                codes = await codes_if_none_left(tx, user_id)
                token = await self._sessions.renew(tx, principal, Method.PASSKEY)
                await self._letterbox.notify(tx, user_id, "factor-added")
                await self._record(tx, principal, "user.passkey-added", {"passkey": row["id"]})
                added = FactorAdded(codes, token, passkeys.as_passkey(row))
        if added is None:
            raise PasskeyRefused
        await self._sessions.end_former_token(principal.session_id)
        return added

    async def rename(self, principal: Principal, passkey_id: str, name: str) -> PasskeyView:
        """Call one of one's own passkeys differently. Raises NotFound, for a stranger's as well."""
        passkey = await passkeys.rename_passkey(self._db, principal.user_id, passkey_id, tidy(name))
        if passkey is None:
            raise NotFound
        return passkey

    async def remove(self, principal: Principal, passkey_id: str) -> None:
        """Forget one's own passkey. Raises FreshProofRequired, NotFound, LastSecondFactor."""
        policy.require_fresh(principal)
        async with self._db.transaction() as tx:
            row = await locked_user(tx, principal.user_id)
            if await passkeys.delete_passkey(tx, principal.user_id, passkey_id) is None:
                raise NotFound
            await self._factor_settings.after_removal(tx, row)
            await self._letterbox.notify(tx, principal.user_id, "factor-removed")
            await self._record(tx, principal, "user.passkey-removed", {"passkey": passkey_id})

    async def _made(
        self, tx: Connection, user_id: int, credential: dict[str, Any], party: RelyingParty
    ) -> tuple[NewPasskey, bytes] | None:
        """The new passkey and what it calls its person; None when the answer is not genuine."""
        try:
            challenge = challenge_of(credential)
            asked = await passkeys.take_challenge(
                tx, challenge_hash(challenge), "register", user_id
            )
            if asked is None:
                return None
            return check_registration(party, credential, challenge), asked["user_handle"]
        except NotGenuine:
            return None

    # --- signing in

    async def start_sign_in(self, party: RelyingParty, client: Client) -> PasskeyOptions:
        """What any passkey of this site may sign. Raises TooManyRequests."""
        await self._throttle.admit_offer(client.address)
        return await self._proofs.ask_passkey(self._db, None, "sign-in", party)

    async def sign_in(
        self, credential: dict[str, Any], party: RelyingParty, client: Client
    ) -> Admission:
        """A new session: the passkey names its person, and its user was verified.

        Raises PasskeyRefused, AccountDeactivated, EmailNotVerified, TooManyRequests.
        """
        await self._throttle.admit_ceremony(client.address)
        user_id, admission = await self._owner(credential), None
        async with self._db.transaction() as tx:
            row = await users.lock_user(tx, user_id)
            if row is not None and await self._proofs.check_passkey(
                tx, user_id, credential, "sign-in", party
            ):
                self._doorway.check_may_enter(row)
                admission = await self._doorway.admit(tx, row, client, Method.PASSKEY)
        if admission is None:
            raise PasskeyRefused
        return admission

    async def _owner(self, credential: dict[str, Any]) -> int:
        try:
            shown = read_assertion(credential)
        except NotGenuine as fault:
            raise PasskeyRefused from fault
        user_id = await passkeys.owner_of(self._db, shown.credential_id)
        if user_id is None:
            raise PasskeyRefused
        return user_id

    async def _record(
        self, tx: Connection, actor: Principal, action: str, detail: dict[str, Any]
    ) -> None:
        await self._audit.record(
            tx,
            actor=actor,
            action=action,
            target_type="user",
            target_id=actor.user_id,
            detail=detail,
        )
