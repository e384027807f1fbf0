"""What admins do with other people's accounts: each deed is one audit entry."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from asyncpg import Connection, Record

from app.accounts import policy
from app.accounts.queries import keys, sessions, users
from app.accounts.schemas import LastAdmin, ManagedUser, UserQuery, user_channel
from app.accounts.service.events import EndSockets, PublishLog, announce, locked
from app.accounts.service.sessions import Sessions
from app.audit.service import Audit
from app.infra.channel_log import DurableChannelLog
from app.infra.db import Database
from app.infra.listing import PageRequest
from app.infra.mail import Postman
from app.kit.clock import now
from app.kit.errors import FieldError, InvalidInput, NotFound
from app.kit.paging import Page
from app.kit.principal import Principal, Role

NOTHING = "-"
Change = Callable[[Connection, Record, set[str]], Awaitable[Record]]
"""Takes the locked row; gives the new one, and adds the sessions that it ended to the set."""


class UserAdmin:
    """Accounts as admins handle them."""

    def __init__(
        self,
        db: Database,
        audit: Audit,
        log: DurableChannelLog,
        live: Sessions,
        postman: Postman,
        *,
        publish_log: PublishLog,
        end_user_sockets: EndSockets,
    ) -> None:
        self._db = db
        self._audit = audit
        self._log = log
        self._live = live
        self._postman = postman
        self._publish_log = publish_log
        self._end_user_sockets = end_user_sockets

    async def list_users(
        self, principal: Principal, wanted: UserQuery, page: PageRequest
    ) -> Page[ManagedUser]:
        """Accounts by search and filters. Raises Forbidden, InvalidInput."""
        policy.can_manage_users(principal)
        rows, after = await users.list_users(self._db, wanted, page)
        return Page([users.as_managed(row) for row in rows], after)

    async def user_by_id(self, principal: Principal, user_id: int) -> ManagedUser:
        """Any account, for admins. Raises Forbidden, NotFound."""
        policy.can_manage_users(principal)
        row = await users.managed_user(self._db, user_id)
        if row is None:
            raise NotFound
        return users.as_managed(row)

    async def set_role(
        self, principal: Principal, user_id: int, role: Role, version: int | None
    ) -> ManagedUser:
        """Promote or demote. The person's sessions end: new rights begin with a new sign-in.

        Raises Forbidden, FreshProofRequired, NotFound, LastAdmin, PreconditionFailed when `version`
        is old.
        """
        policy.can_manage_users(principal)
        policy.require_fresh(principal)

        async def change(tx: Connection, row: Record, ended: set[str]) -> Record:
            if row["role"] == Role.ADMIN and role is not Role.ADMIN:
                await self._keep_an_admin(tx, row)
            if row["role"] != role:
                ended.update(await sessions.delete_sessions_of(tx, user_id))
            detail = {"from": row["role"], "to": role.value}
            await self._record(tx, principal, "user.role-set", user_id, detail)
            return await users.set_role(tx, user_id, role.value)

        return await self._change(user_id, version, change)

    async def deactivate(
        self,
        principal: Principal,
        user_id: int,
        reason: str,
        until: datetime | None,
        version: int | None,
    ) -> ManagedUser:
        """Close an account, for ever or until a time, and end its sessions and API keys.

        Raises InvalidInput, and as `set_role`.
        """
        policy.can_manage_users(principal)
        policy.require_fresh(principal)
        if until is not None and until <= now():
            raise InvalidInput(errors=[FieldError("until", "a time to come")])

        async def change(tx: Connection, row: Record, ended: set[str]) -> Record:
            await self._keep_an_admin(tx, row)
            ended.update(await sessions.delete_sessions_of(tx, user_id))
            await keys.delete_keys_of(tx, user_id)
            told = {
                "link": self._postman.link("/"),
                "reason": reason or NOTHING,
                "until": f"{until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if until else NOTHING,
            }
            await self._postman.send(tx, user_id, "account-closed", told)
            detail = {"reason": reason, "until": until and until.isoformat()}
            await self._record(tx, principal, "user.deactivated", user_id, detail)
            return await users.set_deactivated(tx, user_id, now(), reason, until)

        return await self._change(user_id, version, change)

    async def reactivate(
        self, principal: Principal, user_id: int, version: int | None
    ) -> ManagedUser:
        """Open a closed account again. Raises as `set_role`, but for LastAdmin."""
        policy.can_manage_users(principal)
        policy.require_fresh(principal)

        async def change(tx: Connection, _row: Record, _ended: set[str]) -> Record:
            await self._record(tx, principal, "user.reactivated", user_id, {})
            return await users.set_deactivated(tx, user_id, None)

        return await self._change(user_id, version, change)

    async def verify(self, principal: Principal, user_id: int, version: int | None) -> ManagedUser:
        """Vouch for an address that its owner could not confirm. Raises as `reactivate`."""
        policy.can_manage_users(principal)
        policy.require_fresh(principal)

        async def change(tx: Connection, row: Record, _ended: set[str]) -> Record:
            detail = {"email": row["email"]}
            await self._record(tx, principal, "user.verified", user_id, detail)
            return await users.verify_user(tx, user_id)

        return await self._change(user_id, version, change)

    async def sign_out(self, principal: Principal, user_id: int) -> int:
        """End every session of a person; their number. Raises Forbidden, NotFound."""
        policy.can_manage_users(principal)
        async with self._db.transaction() as tx:
            if await users.lock_user(tx, user_id) is None:
                raise NotFound
            ended = await sessions.delete_sessions_of(tx, user_id)
            await self._record(tx, principal, "user.signed-out", user_id, {"sessions": len(ended)})
        await self._live.close_sockets(ended)
        await self._end_user_sockets(str(user_id))
        return len(ended)

    # --- shared steps

    async def _change(self, user_id: int, version: int | None, change: Change) -> ManagedUser:
        ended: set[str] = set()
        async with self._db.transaction() as tx:
            await users.lock_offices(tx)
            row = await change(tx, await locked(tx, user_id, version), ended)
            user, publication = await announce(tx, self._log, row)
            managed = await users.managed_user(tx, user.id)
        await self._publish_log(user_channel(user_id), publication)
        await self._live.close_sockets(ended)
        await self._end_user_sockets(str(user_id))
        if managed is None:
            raise NotFound
        return users.as_managed(managed)

    async def _keep_an_admin(self, tx: Connection, row: Record) -> None:
        is_admin = row["role"] == Role.ADMIN and not users.is_deactivated(row, now())
        if is_admin and await users.active_admins(tx) == 1:
            raise LastAdmin

    async def _record(
        self, tx: Connection, actor: Principal, action: str, user_id: int, detail: dict[str, Any]
    ) -> None:
        await self._audit.record(
            tx, actor=actor, action=action, target_type="user", target_id=user_id, detail=detail
        )
