"""Accounts and sessions: one verb, one transaction, one story."""

import secrets
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import msgspec
from asyncpg import Connection, Record

from app.accounts import policy, queries
from app.accounts.schemas import (
    AccountDeactivated,
    Client,
    EmailNotVerified,
    EmailTaken,
    LastAdmin,
    LogIn,
    SignUp,
    UpdateMe,
    User,
    UserChanged,
    WrongCredentials,
    user_channel,
)
from app.audit.service import Audit
from app.infra.channel_log import DurableChannelLog
from app.infra.db import Database
from app.infra.listing import PageRequest
from app.infra.passwords import Passwords
from app.kit.clock import now
from app.kit.errors import NotFound, PreconditionFailed
from app.kit.ids import new_id
from app.kit.paging import Page
from app.kit.principal import Principal, Role
from app.kit.secret import token_hash
from app.kit.text import storable, tidy
from app.settings import Settings
from realtime import Publication

TOKEN_BYTES = 32
"""256 random bits: twice what ASVS 5.0, 7.2.3 asks for."""

PublishLog = Callable[[str, Publication], Awaitable[None]]
EndSockets = Callable[[str], Awaitable[None]]
Change = Callable[[Connection, Record], Awaitable[Record]]


class Accounts:
    """People, their sessions, and what admins do with both."""

    def __init__(
        self,
        db: Database,
        passwords: Passwords,
        audit: Audit,
        log: DurableChannelLog,
        settings: Settings,
        *,
        publish_log: PublishLog,
        end_session_sockets: EndSockets,
        end_user_sockets: EndSockets,
    ) -> None:
        self._db = db
        self._passwords = passwords
        self._audit = audit
        self._log = log
        self._publish_log = publish_log
        self._end_session_sockets = end_session_sockets
        self._end_user_sockets = end_user_sockets
        self._must_verify = settings.require_verified_email
        self._limits = (
            float(settings.staff_session_idle_s),
            float(settings.session_idle_s),
            float(settings.staff_session_absolute_s),
            float(settings.session_absolute_s),
        )

    # --- signing in and out

    async def sign_up(self, form: SignUp, client: Client) -> tuple[User, str] | None:
        """A new account, signed in; None where the address must be confirmed first.

        Then nothing tells whether the address was free. Raises EmailTaken otherwise.
        """
        password_hash = await self._passwords.hash(form.password)
        name = tidy(form.name) if form.name else None
        async with self._db.transaction() as tx:
            row = await queries.insert_user(tx, normal_email(form.email), password_hash, name)
            if self._must_verify:
                return None
            if row is None:
                raise EmailTaken
            return queries.as_user(row), await self._open_session(tx, row["id"], client)

    async def log_in(self, form: LogIn, client: Client) -> tuple[User, str]:
        """A new session. Raises WrongCredentials, AccountDeactivated, EmailNotVerified."""
        row = await queries.credentials_by_email(self._db, normal_email(form.email))
        known_hash = row["password_hash"] if row else None
        if not await self._passwords.verify(known_hash, form.password) or row is None:
            raise WrongCredentials
        if row["deactivated_at"] is not None:
            raise AccountDeactivated
        if self._must_verify and row["email_verified_at"] is None:
            raise EmailNotVerified
        is_old = self._passwords.needs_rehash(row["password_hash"])
        fresh_hash = await self._passwords.hash(form.password) if is_old else None
        async with self._db.transaction() as tx:
            if fresh_hash is not None:
                await queries.set_password_hash(tx, row["id"], fresh_hash)
            return queries.as_user(row), await self._open_session(tx, row["id"], client)

    async def log_out(self, principal: Principal) -> None:
        """End this session and close its sockets."""
        await queries.delete_session(self._db, principal.session_id)
        await self._end_session_sockets(principal.session_id)

    async def principal_by_token(self, token: str) -> Principal | None:
        """The person of a session token; None when the session has ended in any way."""
        row = await queries.live_session(self._db, token_hash(token), self._limits)
        if row is None:
            return None
        if (now() - row["last_seen_at"]).total_seconds() > SEEN_EVERY_S:
            await queries.touch_session(self._db, row["session_id"])
        return queries.as_principal(row)

    async def principal_by_session(self, session_id: str) -> Principal | None:
        """The person of a session named by a realtime token; None when it has ended."""
        row = await queries.live_session(self._db, session_id, self._limits)
        return queries.as_principal(row) if row else None

    async def living_sessions(self, session_ids: Collection[str]) -> dict[str, Role]:
        """Those of the sessions that have not ended, with the role that their person has now."""
        rows = await queries.live_sessions(self._db, list(session_ids), self._limits)
        return {row["session_id"]: Role(row["role"]) for row in rows}

    async def _open_session(self, tx: Connection, user_id: int, client: Client) -> str:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        agent, address = storable(client.user_agent), storable(client.address)
        await queries.insert_session(tx, new_id(), token_hash(token), user_id, agent, address)
        return token

    # --- one's own account

    async def me(self, principal: Principal) -> User:
        """The signed-in person's account. Raises NotFound."""
        return await self._user(principal.user_id)

    async def update_me(self, principal: Principal, form: UpdateMe, version: int | None) -> User:
        """Change one's profile. Raises PreconditionFailed when `version` is old."""
        async with self._db.transaction() as tx:
            row = await _locked(tx, principal.user_id, version)
            if isinstance(form.name, msgspec.UnsetType):
                return queries.as_user(row)
            name = tidy(form.name) if form.name else None
            row = await queries.update_name(tx, principal.user_id, name)
            user, publication = await self._announce(tx, row)
        await self._publish_log(user_channel(user.id), publication)
        return user

    # --- what admins do

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
        rows, after = await queries.list_users(self._db, q=q, role=role, status=status, page=page)
        return Page([queries.as_user(row) for row in rows], after)

    async def user_by_id(self, principal: Principal, user_id: int) -> User:
        """Any account, for admins. Raises Forbidden, NotFound."""
        policy.can_manage_users(principal)
        return await self._user(user_id)

    async def set_role(
        self, principal: Principal, user_id: int, role: Role, version: int | None
    ) -> User:
        """Promote or demote; open sockets end, for they hold the old rights.

        Raises Forbidden, NotFound, LastAdmin, PreconditionFailed when `version` is old.
        """
        policy.can_manage_users(principal)

        async def change(tx: Connection, row: Record) -> Record:
            if row["role"] == Role.ADMIN and role is not Role.ADMIN:
                await self._keep_an_admin(tx, row)
            detail = {"from": row["role"], "to": role.value}
            await self._record(tx, principal, "user.role-set", user_id, detail)
            return await queries.set_role(tx, user_id, role.value)

        return await self._change(user_id, version, change)

    async def deactivate(
        self, principal: Principal, user_id: int, reason: str, version: int | None
    ) -> User:
        """Close an account and end its sessions everywhere. Raises as `set_role`."""
        policy.can_manage_users(principal)

        async def change(tx: Connection, row: Record) -> Record:
            await self._keep_an_admin(tx, row)
            await queries.delete_sessions_of(tx, user_id)
            await self._record(tx, principal, "user.deactivated", user_id, {"reason": reason})
            return await queries.set_deactivated(tx, user_id, now(), reason)

        return await self._change(user_id, version, change)

    async def reactivate(self, principal: Principal, user_id: int, version: int | None) -> User:
        """Open a closed account again. Raises as `set_role`, but for LastAdmin."""
        policy.can_manage_users(principal)

        async def change(tx: Connection, _row: Record) -> Record:
            await self._record(tx, principal, "user.reactivated", user_id, {})
            return await queries.set_deactivated(tx, user_id, None, None)

        return await self._change(user_id, version, change)

    async def ensure_account(self, email: str, name: str, password: str, role: Role) -> int:
        """The id of an account that exists afterwards, verified and with this role.

        For the operator and the sample library; an existing account keeps its password.
        """
        address = normal_email(email)
        row = await queries.credentials_by_email(self._db, address)
        password_hash = "" if row else await self._passwords.hash(password)
        async with self._db.transaction() as tx:
            row = row or await queries.insert_user(tx, address, password_hash, name)
            row = row or await queries.credentials_by_email(tx, address)
            if row is None:
                raise NotFound(f"No account {address}")
            await queries.set_verified(tx, address)
            if row["role"] != role:
                detail = {"from": row["role"], "to": role.value}
                await self._record(tx, None, "user.role-set", row["id"], detail)
                await queries.set_role(tx, row["id"], role.value)
        return int(row["id"])

    async def public_name(self, user_id: int) -> str | None:
        """What others may see of an account; None when there is no such account."""
        row = await queries.user_by_id(self._db, user_id)
        return (row["name"] or f"#{user_id}") if row else None

    # --- shared steps

    async def _change(self, user_id: int, version: int | None, change: Change) -> User:
        async with self._db.transaction() as tx:
            await queries.lock_offices(tx)
            row = await _locked(tx, user_id, version)
            user, publication = await self._announce(tx, await change(tx, row))
        await self._publish_log(user_channel(user_id), publication)
        await self._end_user_sockets(str(user_id))
        return user

    async def _keep_an_admin(self, tx: Connection, row: Record) -> None:
        is_admin = row["role"] == Role.ADMIN and row["deactivated_at"] is None
        if is_admin and await queries.active_admins(tx) == 1:
            raise LastAdmin

    async def _record(
        self,
        tx: Connection,
        actor: Principal | None,
        action: str,
        user_id: int,
        detail: dict[str, Any],
    ) -> None:
        await self._audit.record(
            tx, actor=actor, action=action, target_type="user", target_id=user_id, detail=detail
        )

    async def _announce(self, tx: Connection, row: Record) -> tuple[User, Publication]:
        user = queries.as_user(row)
        event = msgspec.json.encode(UserChanged(user))
        position = await self._log.append(tx, user_channel(user.id), event)
        return user, Publication(data=event, offset=position.offset)

    async def _user(self, user_id: int) -> User:
        row = await queries.user_by_id(self._db, user_id)
        if row is None:
            raise NotFound
        return queries.as_user(row)


SEEN_EVERY_S = 60
"""How exact `last_seen_at` is: one write a minute per session is cheap."""


def normal_email(email: str) -> str:
    """The form in which addresses are stored and compared."""
    return tidy(email).lower()


async def _locked(tx: Connection, user_id: int, version: int | None) -> Record:
    """The account that a change starts from. Raises NotFound, PreconditionFailed."""
    row = await queries.lock_user(tx, user_id)
    if row is None:
        raise NotFound
    if version is not None and version != row["version"]:
        raise PreconditionFailed(current_version=row["version"])
    return row
