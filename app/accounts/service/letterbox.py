"""Asking for a link by mail: alike for every address, whether or not there is an account.

The request only counts itself and enqueues a job; the job looks who lives there. So neither the
answer nor its time tells a stranger anything, and a mail goes to the stored address only.
"""

import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from asyncpg import Connection, Record

from app.accounts.queries import mail_tokens, sessions, users
from app.accounts.schemas import Asked, AskedFor, Client, KeptWay, Newcomer, Purpose
from app.accounts.service.events import normal_email
from app.accounts.service.sign_up_marks import SignUpMarks
from app.accounts.service.throttle import DoorThrottle
from app.infra.db import Database, Queryable
from app.infra.jobs import Job, Jobs
from app.infra.mail import Postman, Recipient
from app.kit.clock import now
from app.kit.language import Language
from app.kit.secret import token_hash
from app.settings import Settings

KIND = "accounts.asked"
NEWCOMER = "accounts.newcomer"
TOKEN_BYTES = 32
"""256 random bits."""

TEMPLATES = {
    Purpose.VERIFY: "verify",
    Purpose.RESET: "reset",
    Purpose.SIGN_IN: "sign-in",
    Purpose.CHANGE: "email-change",
    Purpose.UNDO: "email-changed",
}
PAGES = {
    Purpose.VERIFY: "/verify",
    Purpose.RESET: "/reset",
    Purpose.SIGN_IN: "/sign-in",
    Purpose.CHANGE: "/verify",
    Purpose.UNDO: "/verify",
}
FORGOT = "/forgot"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


class Letterbox:
    """Who asks for mail, and what they get."""

    def __init__(
        self, db: Database, jobs: Jobs, postman: Postman, throttle: DoorThrottle, settings: Settings
    ) -> None:
        self.marks = SignUpMarks(settings.secret, lifetime_s=settings.verify_link_s)
        self._db = db
        self._jobs = jobs
        self._postman = postman
        self._throttle = throttle
        self._lifetimes = {
            Purpose.VERIFY: settings.verify_link_s,
            Purpose.RESET: settings.reset_link_s,
            Purpose.SIGN_IN: settings.sign_in_link_s,
            Purpose.CHANGE: settings.verify_link_s,
            Purpose.UNDO: settings.undo_link_s,
        }
        jobs.register(KIND, Asked, self._answer)
        jobs.register(NEWCOMER, Newcomer, self._open_account)

    async def ask(self, purpose: AskedFor, email: str, client: Client) -> None:
        """Somebody asks for a link to verify, reset or sign in. Raises TooManyRequests."""
        address = normal_email(email)
        await self._throttle.admit_mail(address, client.address)
        async with self._db.transaction() as tx:
            await self.enqueue(tx, Asked(purpose, address, client.language))

    async def enqueue(self, tx: Queryable, asked: Asked) -> None:
        """The same as a part of another fact, which counted itself."""
        await self._jobs.enqueue(tx, KIND, asked)

    async def expect(self, tx: Queryable, newcomer: Newcomer) -> str:
        """Have an account opened for whoever reads the mail; the mark of this browser."""
        await self._jobs.enqueue(tx, NEWCOMER, newcomer)
        return self.marks.make(newcomer.user_id)

    async def send_link(
        self,
        tx: Queryable,
        user_id: int,
        purpose: Purpose,
        to: Recipient,
        kept: Sequence[KeptWay] | None = None,
    ) -> None:
        """A new link for this mailbox; the one of its kind before is worth nothing.

        With `kept` the account was taken back, and the mail counts what has stayed of it: names
        would be words of whoever had it meanwhile.
        """
        token, lifetime_s = secrets.token_urlsafe(TOKEN_BYTES), self._lifetimes[purpose]
        expires_at = now() + timedelta(seconds=lifetime_s)
        await mail_tokens.replace_token(
            tx, token_hash(token), purpose, user_id, to.email, expires_at
        )
        values = {
            "link": self._postman.link(PAGES[purpose], token),
            "minutes": str(lifetime_s // MINUTE_S),
            "hours": str(lifetime_s // HOUR_S),
            "days": str(lifetime_s // DAY_S),
        }
        if kept is None:
            await self._postman.send(tx, to, TEMPLATES[purpose], values)
            return
        counts = Counter(way.kind for way in kept)
        for kind in ("totp", "passkey", "identity"):
            values[kind] = str(counts[kind])
        await self._postman.send(tx, to, "restored", values)

    async def notify(self, tx: Queryable, to: int | Recipient, template: str) -> None:
        """Tell somebody what happened to their account, and where to take it back."""
        await self._postman.send(tx, to, template, {"link": self._postman.link(FORGOT)})

    async def changed_password(self, tx: Queryable, user_id: int, *, by_mail: bool = False) -> None:
        """Tell the owner; links from before, which the old password may have asked for, end."""
        await mail_tokens.delete_tokens_of(tx, user_id, but=[Purpose.UNDO])
        await self.notify(tx, user_id, "password-reset" if by_mail else "password-changed")

    async def trim(self) -> None:
        """Forget links that are over."""
        await mail_tokens.delete_expired(self._db, now())

    # --- the jobs

    async def _open_account(self, job: Job, newcomer: Newcomer) -> None:
        email, to = newcomer.email, Recipient(newcomer.email, newcomer.language)
        async with self._db.transaction() as tx:
            row = await users.insert_user(
                tx,
                email,
                newcomer.password_hash,
                newcomer.name,
                newcomer.language,
                user_id=newcomer.user_id,
            )
            if row is not None:
                await self.send_link(tx, row["id"], Purpose.VERIFY, to)
            else:
                owner = await users.user_by_email(tx, email)
                if owner is not None and not users.is_deactivated(owner, now()):
                    await self.notify(tx, to, "taken")
            await self._jobs.finish(tx, job)

    async def _answer(self, job: Job, asked: Asked) -> None:
        async with self._db.transaction() as tx:
            row = await users.user_by_email(tx, asked.email)
            if asked.purpose == "change":
                await self._answer_change(tx, asked, row)
            elif row is not None and not users.is_deactivated(row, now()):
                await self._answer_owner(tx, asked, row)
            await self._jobs.finish(tx, job)

    async def _answer_owner(self, tx: Connection, asked: Asked, row: Record) -> None:
        to = Recipient(row["email"], asked.language)
        is_new = asked.user_id == row["id"]
        if asked.purpose == "signup" and not is_new:
            await self.notify(tx, to, "taken")
        elif asked.purpose in {"signup", "verify"}:
            if row["email_verified_at"] is None:
                await self.send_link(tx, row["id"], Purpose.VERIFY, to)
        else:
            await self.send_link(tx, row["id"], Purpose(asked.purpose), to)

    async def _answer_change(self, tx: Connection, asked: Asked, taken_by: Record | None) -> None:
        """The new mailbox gets the link, unless it is an account's already: then its owner hears
        of it, and whoever asked learns nothing.

        Whoever ends the session of a thief ends what it asked for, also while it waits here.
        """
        if taken_by is not None:
            await self.notify(tx, _recipient(taken_by), "taken")
            return
        asking = await users.user_by_id(tx, asked.user_id or 0)
        is_here = await sessions.hold_session(tx, asked.session_id or "")
        if is_here and asking is not None and not users.is_deactivated(asking, now()):
            to = Recipient(asked.email, asked.language)
            await self.send_link(tx, asking["id"], Purpose.CHANGE, to)


def _recipient(row: Record) -> Recipient:
    language: Language = row["language"]
    return Recipient(row["email"], language)
