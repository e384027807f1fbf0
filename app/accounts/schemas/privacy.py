"""One's own data, in an archive, and the end of an account."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from app.kit.errors import NotFound


class ExportState(Struct, frozen=True):
    """How far one's newest export is; `none` where there is none."""

    status: Literal["none", "waiting", "ready"]
    requested_at: datetime | None = None
    ready_at: datetime | None = None
    expires_at: datetime | None = None
    size: int | None = None
    """Bytes."""


class ExportLink(Struct, frozen=True):
    """Where the archive is for a few minutes, for its owner's own session."""

    url: str
    expires_at: datetime


class ExportAsked(Struct, frozen=True):
    """The payload of the job that makes an archive."""

    user_id: int
    export_id: str


class ArchivesForgotten(Struct, frozen=True):
    """The payload of the job that removes archives from the store."""

    export_ids: list[str]


class ExportNotReady(NotFound):
    """There is no archive: none was asked for, it is being made, or it has expired."""

    code = "export-not-ready"
    title = "There is no finished export"


class ExportLinkExpired(NotFound):
    """The link was good for a few minutes, or is not one that we gave out."""

    code = "export-link-expired"
    title = "This link is no longer good; ask for another"
