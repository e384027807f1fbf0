"""The outbox of `make run`: mails stay in a folder, to be read at `/dev/mail`."""

import asyncio
import re
from contextlib import suppress
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path

from msgspec import Struct

from app.kit.ids import new_id

KEPT = 200
NAME = re.compile(r"[0-9a-z]{26}")
LINK = re.compile(r"https?://\S*[^\s.,;:!?)]")


class KeptMail(Struct, frozen=True):
    """A mail as a developer reads it; `links` are those of its text."""

    id: str
    to: str
    subject: str
    sent_at: datetime
    text: str
    links: list[str]


class DevOutbox:
    """A folder of `.eml` files; the newest KEPT stay."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def deliver(self, message: EmailMessage, to: str) -> None:  # noqa: ARG002  # see Transport
        """Keep a message."""
        await asyncio.to_thread(self._write, bytes(message))

    async def newest(self) -> list[KeptMail]:
        """All that are there, the newest first."""
        return await asyncio.to_thread(self._read_all)

    def _write(self, raw: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{new_id()}.eml"
        draft = path.with_suffix(".tmp")
        draft.write_bytes(raw)
        draft.replace(path)
        for old in self._paths()[KEPT:]:
            old.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("*.eml"), reverse=True)

    def _read_all(self) -> list[KeptMail]:
        found = []
        for path in self._paths():
            with suppress(FileNotFoundError):  # a newer one has just pushed it out
                found.append(_kept(path, path.read_bytes()))
        return found


def _kept(path: Path, raw: bytes) -> KeptMail:
    message = message_from_bytes(raw, policy=default)
    part = message.get_body(("plain",))
    text = part.get_content().replace("\r\n", "\n") if part else ""
    return KeptMail(
        id=path.stem,
        to=str(message["To"]),
        subject=str(message["Subject"]),
        sent_at=parsedate_to_datetime(message["Date"]),
        text=text,
        links=LINK.findall(text),
    )
