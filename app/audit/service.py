"""The audit log: who did what to which thing, in a chain that shows any later change."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from asyncpg import Record
from msgspec.structs import replace

from app.audit import policy, queries
from app.audit.schemas import AuditEntry, AuditQuery, ChainState
from app.infra.db import Database, Queryable
from app.kit.errors import InvalidInput
from app.kit.paging import DEFAULT_PAGE, Page, decode_cursor, encode_cursor
from app.kit.personal import Afterwards, Sections, nothing_afterwards
from app.kit.principal import Principal

VERIFY_BATCH = 1_000


class Audit:
    """Entries are written inside the transaction of the deed itself, or not at all."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def record(
        self,
        tx: Queryable,
        *,
        actor: Principal | int | None,
        action: str,
        target_type: str,
        target_id: int | str,
        detail: Mapping[str, Any] | None = None,
    ) -> int:
        """Write one deed (`action` is `thing.done`); None as actor is the system itself.

        The chain has one end, so recorded transactions commit one after the other: call this after
        the verb's own rows and before the channel log.
        """
        actors = (
            (actor.user_id, actor.impersonator_id)
            if isinstance(actor, Principal)
            else (actor, None)
        )
        target = (target_type, str(target_id))
        said = dict(detail or {})
        if isinstance(actor, Principal) and actor.key_id is not None:
            said["api_key"] = actor.key_id
        return await queries.append_entry(tx, actors, action, target, said)

    async def personal_data(self, user_id: int) -> Sections:
        """A person's own deeds, and those that concern their account."""
        return {"audit": await queries.deeds_of(self._db, user_id)}

    async def forget(self, _tx: Queryable, _user_id: int) -> Afterwards:
        """Nothing is taken out of the log: it names people by number alone."""
        return nothing_afterwards

    async def list_entries(
        self,
        principal: Principal,
        wanted: AuditQuery,
        *,
        limit: int = DEFAULT_PAGE,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        """The newest entries first. Raises Forbidden, InvalidInput for a foreign cursor."""
        policy.can_read_audit(principal)
        before = decode_cursor(cursor, int)[0] if cursor else None
        wanted = replace(wanted, since=_instant(wanted.since), until=_instant(wanted.until))
        rows = await queries.list_entries(self._db, wanted, before, limit + 1)
        page = [_entry(row) for row in rows[:limit]]
        more = len(rows) > limit
        return Page(page, encode_cursor([page[-1].id]) if more else None)

    async def check_chain(self, principal: Principal) -> ChainState:
        """What `verify` found. Raises Forbidden."""
        policy.can_read_audit(principal)
        return await self.verify()

    async def verify(self) -> ChainState:
        """Walk the whole chain; the first entry that does not fit is named and ends the walk."""
        last_id, last_hash = 0, b""
        while rows := await queries.links_after(self._db, last_id, VERIFY_BATCH):
            for row in rows:
                if not _fits(row, last_id, last_hash):
                    return ChainState(False, last_id, last_hash.hex(), row["id"])
                last_id, last_hash = row["id"], row["hash"]
        return ChainState(True, last_id, last_hash.hex(), None)


def _instant(at: datetime | None) -> datetime | None:
    """The same moment in UTC, which a time without a zone is taken for. Raises InvalidInput."""
    if at is None:
        return None
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError as fault:
        raise InvalidInput("A time beyond the calendar") from fault


def _fits(row: Record, last_id: int, last_hash: bytes) -> bool:
    return bool(
        row["id"] == last_id + 1
        and row["previous_hash"] == last_hash
        and row["hash"] == row["expected"]
    )


def _entry(row: Record) -> AuditEntry:
    return AuditEntry(
        id=row["id"],
        at=row["at"],
        actor_id=row["actor_id"],
        impersonator_id=row["impersonator_id"],
        action=row["action"],
        target_type=row["target_type"],
        target_id=row["target_id"],
        detail=row["detail"],
        hash=row["hash"].hex(),
    )
