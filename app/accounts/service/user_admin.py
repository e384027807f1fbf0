"""What admins do with other people's accounts: each deed is one audit entry."""

from collections.abc import Awaitable, Callable
from typing import Any

from asyncpg import Connection, Record

from app.accounts import policy
from app.accounts.queries import keys, sessions, users
from app.accounts.schemas import LastAdmin, User, user_channel
from app.accounts.service.events import EndSockets, PublishLog, announce, locked
from app.audit.service import Audit
from app.infra.channel_log import DurableChannelLog
from app.infra.db import Database
from app.infra.listing import PageRequest
from app.kit.clock import now
from app.kit.errors import NotFound
from app.kit.paging import Page
from app.kit.principal import Principal, Role

Change = Callable[[Connection, Record], Awaitable[Record]]


class UserAdmin:
    """Accounts as admins handle them."""

    def __init__(
        self,
        db: Database,
        audit: Audit,
        log: DurableChannelLog,
        *,
        publish_log: PublishLog,
        end_user_sockets: EndSockets,
    ) -> None:
        self._db = db
        self._audit = audit
        self._log = log
        self._publish_log = publish_log
        self._end_user_sockets = end_user_sockets

    async def list_users(
        self,
        principal: Principal,
        *,
        q: str | None,
        role: Role | None,
        status: str | None,
        page: PageRequest,
    ) -> Page[User]:
        """Accounts by search, role and status. Raises Forbidden, InvalidInput."""
        policy.can_manage_users(principal)
        rows, after = await users.list_users(self._db, q=q, role=role, status=status, page=page)
        return Page([users.as_user(row) for row in rows], after)

    async def user_by_id(self, principal: Principal, user_id: int) -> User:
        """Any account, for admins. Raises Forbidden, NotFound."""
        policy.can_manage_users(principal)
        row = await users.user_by_id(self._db, user_id)
        if row is None:
            raise NotFound
        return users.as_user(row)

    async def set_role(
        self, principal: Principal, user_id: int, role: Role, version: int | None
    ) -> User:
        """Promote or demote. The person's sessions end: new rights begin with a new sign-in.

        Raises Forbidden, NotFound, LastAdmin, PreconditionFailed when `version` is old.
        """
        policy.can_manage_users(principal)

        async def change(tx: Connection, row: Record) -> Record:
            if row["role"] == Role.ADMIN and role is not Role.ADMIN:
                await self._keep_an_admin(tx, row)
            if row["role"] != role:
                await sessions.delete_sessions_of(tx, user_id)
            detail = {"from": row["role"], "to": role.value}
            await self._record(tx, principal, "user.role-set", user_id, detail)
            return await users.set_role(tx, user_id, role.value)

        return await self._change(user_id, version, change)

    async def deactivate(
        self, principal: Principal, user_id: int, reason: str, version: int | None
    ) -> User:
        """Close an account and end its sessions everywhere. Raises as `set_role`."""
        policy.can_manage_users(principal)

        async def change(tx: Connection, row: Record) -> Record:
            await self._keep_an_admin(tx, row)
            await sessions.delete_sessions_of(tx, user_id)
            await keys.delete_keys_of(tx, user_id)
            await self._record(tx, principal, "user.deactivated", user_id, {"reason": reason})
            return await users.set_deactivated(tx, user_id, now(), reason)

        return await self._change(user_id, version, change)

    async def reactivate(self, principal: Principal, user_id: int, version: int | None) -> User:
        """Open a closed account again. Raises as `set_role`, but for LastAdmin."""
        policy.can_manage_users(principal)

        async def change(tx: Connection, _row: Record) -> Record:
            await self._record(tx, principal, "user.reactivated", user_id, {})
            return await users.set_deactivated(tx, user_id, None, None)

        return await self._change(user_id, version, change)

    async def sign_out(self, principal: Principal, user_id: int) -> int:
        """End every session of a person; their number. Raises Forbidden, NotFound."""
        policy.can_manage_users(principal)
        async with self._db.transaction() as tx:
            if await users.lock_user(tx, user_id) is None:
                raise NotFound
            ended = len(await sessions.delete_sessions_of(tx, user_id))
            await self._record(tx, principal, "user.signed-out", user_id, {"sessions": ended})
        await self._end_user_sockets(str(user_id))
        return ended

    # --- shared steps

    async def _change(self, user_id: int, version: int | None, change: Change) -> User:
        async with self._db.transaction() as tx:
            await users.lock_offices(tx)
            row = await locked(tx, user_id, version)
            user, publication = await announce(tx, self._log, await change(tx, row))
        await self._publish_log(user_channel(user_id), publication)
        await self._end_user_sockets(str(user_id))
        return user

    async def _keep_an_admin(self, tx: Connection, row: Record) -> None:
        is_admin = row["role"] == Role.ADMIN and row["deactivated_at"] is None
        if is_admin and await users.active_admins(tx) == 1:
            raise LastAdmin

    async def _record(
        self, tx: Connection, actor: Principal, action: str, user_id: int, detail: dict[str, Any]
    ) -> None:
        await self._audit.record(
            tx, actor=actor, action=action, target_type="user", target_id=user_id, detail=detail
        )
