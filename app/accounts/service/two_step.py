"""The second step of a sign-in, and the fresh proof that a dangerous act asks for."""

from asyncpg import Connection, Record

from app.accounts.queries import factors, passkeys, users
from app.accounts.schemas import (
    Admission,
    Client,
    Confirm,
    GiveSecondFactor,
    PasskeyOptions,
    PasskeyRefused,
    ProofNotAccepted,
    SecondStepExpired,
    WrongCode,
    WrongPassword,
)
from app.accounts.service.doorway import Doorway
from app.accounts.service.letterbox import Letterbox
from app.accounts.service.proofs import Proofs
from app.accounts.service.sessions import Sessions
from app.accounts.service.throttle import DoorThrottle
from app.audit.service import Audit
from app.infra.db import Database
from app.infra.passkeys import RelyingParty
from app.infra.passwords import Passwords
from app.kit.errors import FieldError, Forbidden, InvalidInput, Unauthorized
from app.kit.principal import Method, Principal
from app.kit.secret import token_hash

MOST_WRONG_TRIES = 5
"""Of one sign-in; then the first proof is asked for again."""


class TwoStep:
    """Proofs beyond the first."""

    def __init__(
        self,
        db: Database,
        sessions: Sessions,
        doorway: Doorway,
        proofs: Proofs,
        passwords: Passwords,
        throttle: DoorThrottle,
        audit: Audit,
        letterbox: Letterbox,
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._doorway = doorway
        self._proofs = proofs
        self._passwords = passwords
        self._throttle = throttle
        self._audit = audit
        self._letterbox = letterbox

    # --- signing in

    async def give_second_factor(
        self, form: GiveSecondFactor, party: RelyingParty, client: Client
    ) -> Admission:
        """The session of a sign-in whose second proof is right as well.

        Raises SecondStepExpired, WrongCode, PasskeyRefused, TooManyRequests, AccountDeactivated.
        """
        hashed = token_hash(form.token)
        user_id = await self._waiting(hashed)
        await self._throttle.admit_factor(user_id, client.address)
        admission = None
        async with self._db.transaction() as tx:
            row = await users.lock_user(tx, user_id)
            step = await factors.lock_step(tx, hashed)
            if row is None or step is None:
                raise SecondStepExpired
            method = await self._proofs.check(tx, user_id, form, "second-factor", party)
            if method is None:
                await factors.count_wrong_try(tx, hashed, MOST_WRONG_TRIES)
            else:
                await factors.end_step(tx, hashed)
                admission = await self._enter(tx, row, client, step, method)
        if admission is None:
            raise _wrong(form)
        await self._throttle.forgive_factor(user_id)
        return admission

    async def passkey_for_step(
        self, token: str, party: RelyingParty, client: Client
    ) -> PasskeyOptions:
        """What a passkey signs as the second step. Raises SecondStepExpired, TooManyRequests."""
        user_id = await self._waiting(token_hash(token))
        await self._throttle.admit_ceremony(client.address)
        known = await passkeys.known_to(self._db, user_id)
        return await self._proofs.ask_passkey(self._db, user_id, "second-factor", party, known)

    async def _enter(
        self, tx: Connection, row: Record, client: Client, step: Record, method: Method
    ) -> Admission:
        self._doorway.check_may_enter(row)
        first = tuple(Method(name) for name in step["methods"])
        admission = await self._doorway.admit(tx, row, client, *first, method)
        await self._note(tx, row["id"], method)
        return admission

    async def _waiting(self, hashed: bytes) -> int:
        user_id = await factors.waiting_user(self._db, hashed)
        if user_id is None:
            raise SecondStepExpired
        return user_id

    # --- a fresh proof

    async def confirm(
        self, principal: Principal, form: Confirm, party: RelyingParty, client: Client
    ) -> Admission:
        """The same session with a fresh proof and a new token.

        Raises WrongPassword, WrongCode, PasskeyRefused, ProofNotAccepted, TooManyRequests,
        Forbidden in somebody else's name.
        """
        if principal.impersonator_id is not None:
            raise Forbidden("Nobody can confirm in somebody else's name")
        if form.method == "password":
            return await self._confirm_by_password(principal, form, client)
        await self._throttle.admit_factor(principal.user_id, client.address)
        admission = None
        async with self._db.transaction() as tx:
            row = await users.lock_user(tx, principal.user_id)
            if row is None:
                raise Unauthorized
            method = await self._proofs.check(tx, principal.user_id, form, "confirm", party)
            if method is not None:
                token = await self._sessions.renew(tx, principal, method)
                admission = Admission(users.as_user(row), token)
                await self._note(tx, principal, method)
        if admission is None:
            raise _wrong(form)
        await self._sessions.end_former_token(principal.session_id)
        await self._throttle.forgive_factor(principal.user_id)
        return admission

    async def passkey_for_confirm(
        self, principal: Principal, party: RelyingParty
    ) -> PasskeyOptions:
        """What a passkey signs as a fresh proof."""
        known = await passkeys.known_to(self._db, principal.user_id)
        return await self._proofs.ask_passkey(self._db, principal.user_id, "confirm", party, known)

    async def _confirm_by_password(
        self, principal: Principal, form: Confirm, client: Client
    ) -> Admission:
        """Only where there is no second factor: a password does not stand in for one."""
        if form.password is None:
            raise InvalidInput(errors=[FieldError("password", "missing for this method")])
        await self._throttle.admit_login(principal.email, client.address)
        row = await users.credentials_by_id(self._db, principal.user_id)
        known_hash = row["password_hash"] if row else None
        if not await self._passwords.verify(known_hash, form.password) or row is None:
            raise WrongPassword
        await self._throttle.forgive(principal.email)
        async with self._db.transaction() as tx:
            if not await users.lock_credentials(tx, row["id"], row["password_hash"]):
                raise WrongPassword
            if factors.ways_of(await factors.enrolled(tx, row["id"])):
                raise ProofNotAccepted
            token = await self._sessions.renew(tx, principal, Method.PASSWORD)
        await self._sessions.end_former_token(principal.session_id)
        return Admission(users.as_user(row), token)

    async def _note(self, tx: Connection, actor: Principal | int, method: Method) -> None:
        """A recovery code is used once in years: its owner hears of it, admins may look it up."""
        if method is not Method.RECOVERY_CODE:
            return
        user_id = actor.user_id if isinstance(actor, Principal) else actor
        await self._letterbox.notify(tx, user_id, "recovery-code-used")
        await self._audit.record(
            tx,
            actor=actor,
            action="user.recovery-code-used",
            target_type="user",
            target_id=user_id,
        )


def _wrong(form: GiveSecondFactor | Confirm) -> Exception:
    return PasskeyRefused() if form.method == "passkey" else WrongCode()
