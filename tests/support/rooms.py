"""The services of reports, audit and channel log on a database of their own, without the app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import msgspec

from app.audit.service import Audit
from app.infra.channel_log import DurableChannelLog
from app.infra.db import Database
from app.infra.idempotency import mark_carried_out
from app.kit.errors import NotFound
from app.kit.ids import new_id
from app.kit.principal import Principal, Role
from app.reports.schemas import FileReport, Report, Target
from app.reports.service import Reports
from realtime import Publication

HIDDEN = 404
targets = count(1000)


@dataclass(frozen=True)
class Rooms:
    """The services, and everything that was published after a commit."""

    db: Database
    audit: Audit
    log: DurableChannelLog
    reports: Reports
    published: list[tuple[str, Publication]] = field(default_factory=list)

    def events(self, channel: str) -> list[dict[str, Any]]:
        """What was published on a channel, decoded."""
        return [msgspec.json.decode(p.data) for name, p in self.published if name == channel]


@asynccontextmanager
async def open_rooms(url: str, *, pool_size: int = 20) -> AsyncIterator[Rooms]:
    """Services whose targets are all numbers but `HIDDEN`."""
    db = Database(url, pool_size=pool_size, before_commit=mark_carried_out)
    await db.start()
    published: list[tuple[str, Publication]] = []

    async def publish_log(channel: str, publication: Publication) -> None:
        published.append((channel, publication))

    async def resolve(_principal: Principal, target_id: int) -> Target:
        if target_id == HIDDEN:
            raise NotFound
        return Target(f"Thing {target_id}", f"/things/{target_id}")

    audit, log = Audit(db), DurableChannelLog(db)
    targets = {"book": resolve, "user": resolve, "message": resolve}
    reports = Reports(db, audit, log, targets, publish_log=publish_log)
    try:
        yield Rooms(db, audit, log, reports, published)
    finally:
        await db.stop()


async def add_person(db: Database, role: Role = Role.USER, name: str | None = None) -> Principal:
    """An account that can be named as reporter or moderator."""
    email = f"{new_id()}@example.org"
    user_id = await db.fetchval(
        "INSERT INTO users (email, password_hash, name, role) VALUES ($1, '', $2, $3) RETURNING id",
        email,
        name,
        role.value,
    )
    return Principal(user_id, role, new_id(), name or "", email)


def about(target_id: int, target_type: str = "book", **changes: Any) -> FileReport:
    """A report that names only what matters."""
    values: dict[str, Any] = {"reason": "Wrong author", **changes}
    return FileReport(target_type=target_type, target_id=target_id, **values)


async def filed(rooms: Rooms, by: Principal, target_id: int | None = None) -> Report:
    """A pending report, about a fresh target unless told otherwise."""
    return (await rooms.reports.file_report(by, about(target_id or next(targets))))[0]


async def case_status(rooms: Rooms, report: Report) -> str:
    """Whether the report's case is open or closed."""
    return await rooms.db.fetchval("SELECT status FROM cases WHERE id = $1", report.case_id)
