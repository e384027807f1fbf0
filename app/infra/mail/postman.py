"""Takes letters inside a transaction and sends them after it."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from msgspec import Struct

from app.infra.db import Queryable
from app.infra.jobs import Hopeless, Job, Jobs
from app.infra.mail.letters import Letter, Letters
from app.infra.mail.message import compose, deliverable
from app.infra.mail.transport import Transport
from app.infra.vault import Unreadable, Vault
from app.kit.language import Language
from app.kit.secret import Secret

KIND = "mail.send"


class Recipient(Struct, frozen=True):
    """Where a mail goes, and in which language."""

    email: str
    language: Language = "en"


Recipients = Callable[[Queryable, int], Awaitable[Recipient | None]]
"""Whom a person's id stands for; None when there is no such person any more."""


class SealedMail(Struct, frozen=True):
    """The job: a mail that may hold a secret link, unreadable in the database and its copies."""

    sealed: bytes


class Draft(Struct, frozen=True):
    """What is sealed."""

    to: str
    letter: Letter


class Postman:
    """`send` is part of the fact: a fact that is rolled back sends nothing."""

    def __init__(
        self,
        jobs: Jobs,
        transport: Transport,
        recipients: Recipients,
        *,
        secret: Secret,
        sender: str,
        origin: str,
    ) -> None:
        self._jobs = jobs
        self._transport = transport
        self._recipients = recipients
        self._vault = Vault(secret, "mail")
        self._letters = Letters()
        self._sender = sender
        self._origin = origin
        jobs.register(KIND, SealedMail, self._deliver)

    def link(self, path: str, token: str = "") -> str:
        """An address of our pages. A token stands in the fragment, which no server is told."""
        return f"{self._origin}{path}" + (f"#token={token}" if token else "")

    async def send(
        self,
        tx: Queryable,
        to: int | Recipient,
        template: str,
        values: Mapping[str, str] | None = None,
    ) -> None:
        """One mail to a person's own address, or to one that was just given.

        `values` are what the template names; `origin` and `email` are always there.
        Raises KeyError for a value that is missing: a fault of ours, seen by the first test.
        """
        recipient = await self._recipients(tx, to) if isinstance(to, int) else to
        if recipient is None:
            return
        given = {"origin": self._origin, "email": recipient.email, **(values or {})}
        letter = self._letters.write(template, recipient.language, given)
        sealed = self._vault.seal(msgspec.json.encode(Draft(recipient.email, letter)), KIND)
        await self._jobs.enqueue(tx, KIND, SealedMail(sealed))

    async def _deliver(self, job: Job, mail: SealedMail) -> None:
        try:
            draft = msgspec.json.decode(self._vault.open(mail.sealed, KIND), type=Draft)
        except Unreadable:
            raise Hopeless("sealed under another SICERDAS_SECRET") from None
        try:
            to = deliverable(draft.to)
        except ValueError:
            raise Hopeless("the address has no domain that mail could reach") from None
        message = compose(draft.letter, sender=self._sender, to=to, message_id=job.id)
        await self._transport.deliver(message, to)
