"""What secures one's own sign-in: authenticator app and recovery codes; their reset by an admin."""

from typing import Any

from asyncpg import Connection, Record

from app.accounts import policy
from app.accounts.queries import factors, passkeys, sessions, users
from app.accounts.schemas import (
    Client,
    FactorAdded,
    Factors,
    LastSecondFactor,
    NoSecondFactor,
    TotpAlreadyEnabled,
    TotpNotStarted,
    TotpStarted,
    WrongCode,
)
from app.accounts.service.events import EndSockets, normal_email
from app.accounts.service.letterbox import Letterbox
from app.accounts.service.proofs import Proofs, new_recovery_codes, recovery_hash
from app.accounts.service.sessions import Sessions
from app.accounts.service.throttle import DoorThrottle
from app.audit.service import Audit
from app.infra import totp
from app.infra.db import Database, Queryable
from app.kit.errors import NotFound, Unauthorized
from app.kit.principal import STAFF, Method, Principal


class FactorSettings:
    """One's own factors. Every change asks for a fresh proof, is one audit entry and one mail."""

    def __init__(
        self,
        db: Database,
        sessions: Sessions,
        proofs: Proofs,
        throttle: DoorThrottle,
        audit: Audit,
        letterbox: Letterbox,
        *,
        staff_needs_two: bool,
        end_user_sockets: EndSockets,
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._proofs = proofs
        self._throttle = throttle
        self._audit = audit
        self._letterbox = letterbox
        self._staff_needs_two = staff_needs_two
        self._end_user_sockets = end_user_sockets

    async def overview(self, principal: Principal) -> Factors:
        """One's own factors. Raises NotFound."""
        user_id = principal.user_id
        row = await users.credentials_by_id(self._db, user_id)
        if row is None:
            raise NotFound
        state = await factors.enrolled(self._db, user_id)
        app = await factors.totp_of(self._db, user_id)
        ways = factors.ways_of(state)
        return Factors(
            totp_enabled_at=app["enabled_at"] if app else None,
            passkeys=await passkeys.list_passkeys(self._db, user_id),
            recovery_codes_left=state["recovery"],
            confirm_with=[*ways] or (["password"] if row["password_hash"] else []),
            is_required=principal.owes_second_factor,
        )

    # --- authenticator app

    async def start_totp(self, principal: Principal) -> TotpStarted:
        """A new secret that does not count yet. Raises FreshProofRequired, TotpAlreadyEnabled."""
        policy.require_fresh(principal)
        secret = totp.new_secret()
        sealed = self._proofs.seal(secret, principal.user_id)
        if not await factors.start_totp(self._db, principal.user_id, sealed):
            raise TotpAlreadyEnabled
        uri = totp.provisioning_uri(secret, principal.email)
        return TotpStarted(secret, uri, totp.qr_svg(uri))

    async def enable_totp(self, principal: Principal, code: str, client: Client) -> FactorAdded:
        """The secret counts, for its app has shown a right code.

        Raises FreshProofRequired, TotpNotStarted, TotpAlreadyEnabled, WrongCode, TooManyRequests.
        """
        policy.require_fresh(principal)
        user_id = principal.user_id
        await self._throttle.admit_factor(user_id, client.address)
        async with self._db.transaction() as tx:
            await locked_user(tx, user_id)
            row = await factors.totp_of(tx, user_id)
            if row is None:
                raise TotpNotStarted
            if row["enabled_at"] is not None:
                raise TotpAlreadyEnabled
            if not await self._proofs.check_totp(tx, user_id, code, is_first=True):
                raise WrongCode
            await factors.enable_totp(tx, user_id)
            codes = await codes_if_none_left(tx, user_id)
            token = await self._sessions.renew(tx, principal, Method.ONE_TIME_CODE)
            await self._letterbox.notify(tx, user_id, "factor-added")
            await self._record(tx, principal, "user.totp-enabled", user_id)
        await self._sessions.end_former_token(principal.session_id)
        await self._throttle.forgive_factor(user_id)
        return FactorAdded(codes, token)

    async def disable_totp(self, principal: Principal) -> None:
        """The app's codes count no more. Raises FreshProofRequired, NotFound, LastSecondFactor."""
        policy.require_fresh(principal)
        async with self._db.transaction() as tx:
            row = await locked_user(tx, principal.user_id)
            if not await factors.delete_totp(tx, principal.user_id):
                raise NotFound
            await self.after_removal(tx, row)
            await self._letterbox.notify(tx, principal.user_id, "factor-removed")
            await self._record(tx, principal, "user.totp-disabled", principal.user_id)

    async def renew_recovery_codes(self, principal: Principal) -> list[str]:
        """New codes in place of all old ones. Raises FreshProofRequired, NoSecondFactor."""
        policy.require_fresh(principal)
        async with self._db.transaction() as tx:
            await locked_user(tx, principal.user_id)
            if not factors.ways_of(await factors.enrolled(tx, principal.user_id)):
                raise NoSecondFactor
            codes = await _new_codes(tx, principal.user_id)
            await self._letterbox.notify(tx, principal.user_id, "factor-added")
            await self._record(tx, principal, "user.recovery-codes-renewed", principal.user_id)
        return codes

    # --- shared with passkeys

    async def after_removal(self, tx: Connection, row: Record) -> None:
        """Recovery codes go with the last factor; staff must keep one. Raises LastSecondFactor."""
        if factors.ways_of(await factors.enrolled(tx, row["id"])):
            return
        if self._staff_needs_two and row["role"] in STAFF:
            raise LastSecondFactor
        await factors.replace_recovery_codes(tx, row["id"], [])

    # --- for admins

    async def reset(self, principal: Principal, user_id: int) -> int:
        """Take all factors from a person who lost them; their sessions end: how many.

        Raises Forbidden, FreshProofRequired, NotFound.
        """
        policy.can_manage_users(principal)
        policy.require_fresh(principal)
        return await self._reset(principal, user_id)

    async def reset_as_operator(self, email: str) -> int:
        """The same from the machine itself: the only admin may be the one who lost them.

        Raises NotFound.
        """
        row = await users.credentials_by_email(self._db, normal_email(email))
        if row is None:
            raise NotFound(f"No account {email}")
        return await self._reset(None, row["id"])

    async def _reset(self, actor: Principal | None, user_id: int) -> int:
        async with self._db.transaction() as tx:
            if await users.lock_user(tx, user_id) is None:
                raise NotFound
            state = await factors.enrolled(tx, user_id)
            await factors.delete_all_factors(tx, user_id)
            ended = await sessions.delete_sessions_of(tx, user_id)
            counts = {"passkeys": state["passkeys"], "sessions": len(ended)}
            detail = {"totp": state["totp"], **counts}
            await self._letterbox.notify(tx, user_id, "factors-reset")
            await self._record(tx, actor, "user.factors-reset", user_id, detail)
        await self._end_user_sockets(str(user_id))
        return await self._sessions.close_sockets(ended)

    async def trim(self) -> None:
        """Forget sign-ins and challenges that wait no more."""
        await factors.delete_over(self._db)

    async def _record(
        self,
        tx: Connection,
        actor: Principal | None,
        action: str,
        user_id: int,
        detail: dict[str, Any] | None = None,
    ) -> None:
        await self._audit.record(
            tx, actor=actor, action=action, target_type="user", target_id=user_id, detail=detail
        )


async def locked_user(tx: Connection, user_id: int) -> Record:
    """One's own row: changes of factors come one after the other. Raises Unauthorized."""
    row = await users.lock_user(tx, user_id)
    if row is None:
        raise Unauthorized
    return row


async def codes_if_none_left(tx: Connection, user_id: int) -> list[str]:
    """With the first factor come codes for the day on which it is lost."""
    state = await factors.enrolled(tx, user_id)
    return [] if state["recovery"] else await _new_codes(tx, user_id)


async def _new_codes(tx: Queryable, user_id: int) -> list[str]:
    codes = new_recovery_codes()
    await factors.replace_recovery_codes(tx, user_id, [recovery_hash(code) for code in codes])
    return codes
