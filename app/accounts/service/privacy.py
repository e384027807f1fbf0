"""One's own data: an archive of all of it, and the end of the account.

Each room says what it keeps of a person and forgets it in the same transaction as all others.
Deletion is at once: a grace would keep what somebody wants gone, and whoever wants it later has
their archive. What others rely on stays without a name: reports, decisions and the audit log.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec
from asyncpg import Connection, Record

from app.accounts.policy import require_fresh
from app.accounts.queries import exports, personal, sessions, users
from app.accounts.schemas import LastAdmin, user_channel
from app.accounts.schemas.privacy import (
    ArchivesForgotten,
    ExportAsked,
    ExportLink,
    ExportLinkExpired,
    ExportNotReady,
    ExportState,
)
from app.accounts.service.letterbox import Letterbox
from app.accounts.service.sessions import Sessions
from app.audit.service import Audit
from app.infra.db import Database, Queryable
from app.infra.jobs import Job, Jobs
from app.infra.ratelimit import Pace
from app.infra.storage import ObjectMissing, Storage
from app.kit.clock import now
from app.kit.errors import NotFound
from app.kit.ids import new_id
from app.kit.personal import Afterwards, Sections
from app.kit.principal import Principal, Role
from app.kit.secret import Secret
from app.settings import Settings

MAKE, REMOVE = "accounts.export", "accounts.export-removed"
KIND = "application/json"
FILE = "/api/v1/users/me/export/file"

EndUserSockets = Callable[[str], Awaitable[None]]


class Room(Protocol):
    """A feature that keeps something of people."""

    async def personal_data(self, user_id: int) -> Sections:
        """Everything, by section."""
        ...

    async def forget(self, tx: Connection, user_id: int) -> Afterwards:
        """Remove what need not stay; answers what to do after the commit."""
        ...


class Privacy:
    """Export and deletion."""

    def __init__(
        self,
        db: Database,
        jobs: Jobs,
        storage: Storage,
        rooms: list[Room],
        audit: Audit,
        letterbox: Letterbox,
        settings: Settings,
        *,
        pace: Pace,
        end_user_sockets: EndUserSockets,
    ) -> None:
        self._db = db
        self._jobs = jobs
        self._storage = storage
        self._rooms = rooms
        self._audit = audit
        self._letterbox = letterbox
        self._pace = pace
        self._end_user_sockets = end_user_sockets
        self._kept = timedelta(seconds=settings.export_kept_s)
        self._link_lasts = timedelta(seconds=settings.export_link_s)
        self._secret: Secret = settings.secret
        jobs.register(MAKE, ExportAsked, self._make)
        jobs.register(REMOVE, ArchivesForgotten, self._remove)

    # --- export

    async def ask_export(self, principal: Principal) -> ExportState:
        """Begin an export; one that is being made is answered as it is.

        Raises FreshProofRequired, TooManyRequests.
        """
        require_fresh(principal)
        await self._pace(principal.user_id)
        async with self._db.transaction() as tx:
            await users.lock_user(tx, principal.user_id)
            before = await exports.lock_export(tx, principal.user_id)
            if before is not None and before["status"] == "waiting" and _is_open(before):
                return _state(before)
            export_id = new_id()
            row = await exports.replace_export(tx, principal.user_id, export_id, now() + self._kept)
            if before is not None:
                await self._jobs.enqueue(tx, REMOVE, ArchivesForgotten([before["id"]]))
            await self._jobs.enqueue(tx, MAKE, ExportAsked(principal.user_id, export_id))
            await self._record(tx, principal, "user.export-asked")
        return _state(row)

    async def export_state(self, principal: Principal) -> ExportState:
        """How far it is."""
        return _state(await exports.export_of(self._db, principal.user_id))

    async def export_link(self, principal: Principal) -> ExportLink:
        """Where the archive is, for a few minutes. Raises FreshProofRequired, ExportNotReady."""
        require_fresh(principal)
        row = await self._ready(principal)
        until = now().replace(microsecond=0) + self._link_lasts
        seconds = int(until.timestamp())
        signature = self._signature(principal.user_id, row["id"], seconds)
        return ExportLink(f"{FILE}?until={seconds}&signature={signature}", until)

    async def archive(self, principal: Principal, until: int, signature: str) -> bytes:
        """The archive, for its owner with a good link.

        Raises ExportLinkExpired, ExportNotReady, Unavailable.
        """
        row = await self._ready(principal)
        expected = self._signature(principal.user_id, row["id"], until)
        if not hmac.compare_digest(expected, signature) or until <= now().timestamp():
            raise ExportLinkExpired
        try:
            return await self._storage.get(_key(row["id"]))
        except ObjectMissing as fault:
            raise ExportNotReady from fault

    async def trim(self) -> None:
        """Remove archives whose time is over."""
        async with self._db.transaction() as tx:
            over = await exports.delete_expired(tx, now())
            if over:
                await self._jobs.enqueue(tx, REMOVE, ArchivesForgotten(over))

    async def _ready(self, principal: Principal) -> Record:
        row = await exports.export_of(self._db, principal.user_id)
        if row is None or row["status"] != "ready":
            raise ExportNotReady
        return row

    def _signature(self, user_id: int, export_id: str, until: int) -> str:
        text = f"export:{user_id}:{export_id}:{until}".encode()
        return hmac.digest(self._secret.reveal().encode(), text, hashlib.sha256).hex()

    # --- deletion

    async def delete_account(self, principal: Principal) -> None:
        """Erase everything of this person that need not stay, and free their address.

        Raises FreshProofRequired, LastAdmin.
        """
        require_fresh(principal)
        user_id = principal.user_id
        async with self._db.transaction() as tx:
            if principal.role is Role.ADMIN:
                await users.lock_offices(tx)
            row = await users.lock_user(tx, user_id)
            if row is None:
                raise NotFound
            if row["role"] == Role.ADMIN and await users.active_admins(tx) == 1:
                raise LastAdmin
            await self._record(tx, principal, "user.erased")
            await self._letterbox.notify(tx, user_id, "account-erased")
            afterwards = await self._forget(tx, user_id)
        await self._end_user_sockets(str(user_id))
        for act in afterwards:
            await act()

    async def _forget(self, tx: Connection, user_id: int) -> list[Afterwards]:
        archive = await exports.delete_export(tx, user_id)
        if archive is not None:
            await self._jobs.enqueue(tx, REMOVE, ArchivesForgotten([archive]))
        afterwards = [await room.forget(tx, user_id) for room in self._rooms]
        await personal.erase_user(tx, user_id)
        return afterwards

    # --- jobs

    async def _make(self, job: Job, asked: ExportAsked) -> None:
        """Gather, store, and say that it is there; a repetition stores the same key anew."""
        sections: dict[str, Any] = {"made_at": now()}
        for room in self._rooms:
            sections |= await room.personal_data(asked.user_id)
        data = msgspec.json.format(msgspec.json.encode(sections), indent=1)
        await self._storage.put(_key(asked.export_id), data, KIND)
        async with self._db.transaction() as tx:
            wanted = await exports.set_ready(tx, asked.user_id, asked.export_id, len(data))
            if wanted:
                await self._letterbox.notify(tx, asked.user_id, "export-ready")
            else:
                await self._jobs.enqueue(tx, REMOVE, ArchivesForgotten([asked.export_id]))
            await self._jobs.finish(tx, job)

    async def _remove(self, _job: Job, forgotten: ArchivesForgotten) -> None:
        for export_id in forgotten.export_ids:
            await self._storage.delete(_key(export_id))

    async def _record(self, tx: Connection, principal: Principal, action: str) -> None:
        await self._audit.record(
            tx,
            actor=principal,
            action=action,
            target_type="user",
            target_id=principal.user_id,
            detail={},
        )


class OwnData:
    """What accounts themselves keep."""

    def __init__(self, db: Database, live: Sessions) -> None:
        self._db = db
        self._live = live

    async def personal_data(self, user_id: int) -> Sections:
        """Profile, sessions, keys, factors, identities."""
        return await personal.personal_rows(self._db, user_id)

    async def forget(self, tx: Queryable, user_id: int) -> Afterwards:
        """All of it; the account's number stays. Sockets in others' names close as well."""
        ended = await sessions.delete_sessions_of(tx, user_id)
        await personal.forget_rows(tx, user_id, user_channel(user_id))

        async def close() -> None:
            await self._live.close_sockets(ended)

        return close


def _is_open(row: Record) -> bool:
    expires_at: datetime = row["expires_at"]
    return expires_at > now()


def _key(export_id: str) -> str:
    return f"exports/{export_id}.json"


def _state(row: Record | None) -> ExportState:
    if row is None:
        return ExportState("none")
    return ExportState(
        row["status"], row["requested_at"], row["ready_at"], row["expires_at"], row["size"]
    )
