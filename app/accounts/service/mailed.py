"""What mailed links do: confirm, change and restore an address, set a password, sign in.

A link works once, until its end, and for the address that it was sent to. Whoever has it has the
mailbox, and nothing more: it never stands in for a second factor.
"""

from collections.abc import Sequence
from typing import Literal

import asyncpg
from asyncpg import Connection, Record

from app.accounts import policy
from app.accounts.queries import keys, mail_tokens, sessions, users, ways_in
from app.accounts.schemas import (
    AddressConfirmed,
    Admission,
    Asked,
    ChangeEmail,
    Client,
    EmailTaken,
    KeptWay,
    LinkUnusable,
    OwnerNeeded,
    PasswordNeeded,
    PasswordTooCommon,
    Purpose,
    ResetPassword,
    UseMailedLink,
    WrongPassword,
    user_channel,
)
from app.accounts.service.doorway import Doorway
from app.accounts.service.events import (
    PublishLog,
    announce,
    check_new_address,
    forget_stranger,
    locked,
    normal_email,
)
from app.accounts.service.letterbox import Letterbox
from app.accounts.service.sessions import Sessions
from app.accounts.service.throttle import DoorThrottle
from app.audit.service import Audit
from app.infra.channel_log import DurableChannelLog
from app.infra.db import Database
from app.infra.mail import Recipient
from app.infra.passwords import Passwords
from app.infra.weak_passwords import WeakPasswords
from app.kit.clock import now
from app.kit.principal import Method, Principal
from app.kit.secret import token_hash

CONFIRMING = (Purpose.VERIFY, Purpose.CHANGE, Purpose.UNDO)
ASKED = (Purpose.VERIFY, Purpose.CHANGE)
SETTING = (Purpose.RESET, Purpose.VERIFY)
ELSEWHERE = (Purpose.CHANGE, Purpose.UNDO)
"""Sent to a mailbox that the account is to have, not to the one that it has."""


class MailedLinks:
    """The doors that mail opens."""

    def __init__(
        self,
        db: Database,
        sessions_of: Sessions,
        doorway: Doorway,
        letterbox: Letterbox,
        passwords: Passwords,
        weak: WeakPasswords,
        throttle: DoorThrottle,
        audit: Audit,
        log: DurableChannelLog,
        *,
        publish_log: PublishLog,
    ) -> None:
        self._db = db
        self._sessions = sessions_of
        self._doorway = doorway
        self._letterbox = letterbox
        self._passwords = passwords
        self._weak = weak
        self._throttle = throttle
        self._audit = audit
        self._log = log
        self._publish_log = publish_log

    async def sign_in(self, token: str, client: Client) -> Admission:
        """A session for the mailbox's owner; of a stranger who signed up with it nothing stays.

        Raises TooManyRequests, LinkUnusable, AccountDeactivated.
        """
        await self._throttle.admit_link(client.address)
        ended: list[str] = []
        async with self._db.transaction() as tx:
            row, _ = await self._take(tx, token, [Purpose.SIGN_IN])
            if row["email_verified_at"] is None:
                await users.set_password_hash(tx, row["id"], None)
                ended = await forget_stranger(tx, row["id"])
                row = await users.set_address(tx, row["id"], row["email"])
            self._doorway.check_may_enter(row)
            admission = await self._doorway.admit(tx, row, client, Method.MAIL)
        await self._sessions.close_sockets(ended)
        return admission

    async def reset_password(self, form: ResetPassword, client: Client) -> None:
        """Another password. All sessions, sockets, API keys and other links of the person end:
        who resets by mail may have lost the account to somebody who made a key. The link that
        confirms an address does the same while nobody has confirmed it.

        Raises TooManyRequests, LinkUnusable, PasswordTooCommon.
        """
        await self._throttle.admit_link(client.address)
        owner = await mail_tokens.owner_of(self._db, token_hash(form.token), SETTING, now())
        if owner is None:
            raise LinkUnusable
        email = owner["stored_email"]
        own = (email, email.partition("@")[0], owner["name"] or "")
        if self._weak.refuses(form.password, own):
            raise PasswordTooCommon
        new_hash = await self._passwords.hash(form.password)
        async with self._db.transaction() as tx:
            row, link = await self._take(tx, form.token, SETTING)
            if link["purpose"] == Purpose.VERIFY and row["email_verified_at"] is not None:
                raise LinkUnusable  # it lives for longer than a link to set a password may
            user_id = row["id"]
            await users.set_password_hash(tx, user_id, new_hash)
            ended = await keys.delete_keys_of(tx, user_id)
            if row["email_verified_at"] is None:  # see `forget_stranger`
                await ways_in.forget_ways_in(tx, user_id)
            await users.set_address(tx, user_id, row["email"])
            ended += await sessions.delete_sessions_of(tx, user_id)
            await self._letterbox.changed_password(tx, user_id, by_mail=True)
            await self._record(tx, user_id, "user.password-reset")
        await self._throttle.forgive(email)
        await self._sessions.close_sockets(ended)

    async def change_email(self, principal: Principal, form: ChangeEmail, client: Client) -> None:
        """Ask for another address; the present one is told, and stays until the new one confirms.

        Raises FreshProofRequired, DeceptiveAddress, TooManyRequests.
        """
        policy.require_fresh(principal)
        address = normal_email(form.email)
        check_new_address(address)
        await self._throttle.admit_mail(address, client.address)
        async with self._db.transaction() as tx:
            row = await locked(tx, principal.user_id, None)
            if row["email"] == address:
                return
            asked = Asked(
                "change", address, client.language, principal.user_id, principal.session_id
            )
            await self._letterbox.enqueue(tx, asked)
            await self._letterbox.notify(tx, principal.user_id, "email-change-asked")

    async def confirm(
        self, form: UseMailedLink, viewer: Principal | None, mark: str | None, client: Client
    ) -> AddressConfirmed:
        """The mailbox answers; `viewer` and `mark` are what its reader's browser shows of itself.

        Raises TooManyRequests, LinkUnusable, EmailTaken, PasswordNeeded, OwnerNeeded,
        WrongPassword.
        """
        await self._throttle.admit_link(client.address)
        await self._check_who_asked(form, viewer, mark, client)
        ended: list[str] = []
        kept: list[KeptWay] = []
        async with self._db.transaction() as tx:
            row, link = await self._take(tx, form.token, CONFIRMING)
            done: Literal["confirmed", "changed", "restored"] = "confirmed"
            if link["purpose"] == Purpose.VERIFY:
                row = await users.set_address(tx, row["id"], row["email"])
            elif link["purpose"] == Purpose.CHANGE:
                row, done = await self._move(tx, row, link["email"]), "changed"
            else:
                row, ended, kept = await self._move_back(tx, row, link)
                done = "restored"
            user, publication = await announce(tx, self._log, row)
        await self._publish_log(user_channel(user.id), publication)
        await self._sessions.close_sockets(ended)
        return AddressConfirmed(done, kept)

    # --- steps

    async def _check_who_asked(
        self, form: UseMailedLink, viewer: Principal | None, mark: str | None, client: Client
    ) -> None:
        """A stranger may have signed up with this address, or asked to move their account to it,
        and waits for its owner to press a button. So whoever presses it is who asked: by the
        browser, or by the password, which cannot change meanwhile without ending the link.
        """
        link = await mail_tokens.owner_of(self._db, token_hash(form.token), ASKED, now())
        if link is None:
            return
        user_id, email = link["user_id"], link["stored_email"]
        known: set[int | None] = {_person(viewer)}
        needed: type[OwnerNeeded | PasswordNeeded] = OwnerNeeded
        if link["purpose"] == Purpose.VERIFY:
            if link["is_verified"] or link["email"] != email:
                return
            known.add(self._letterbox.marks.read(mark))
            needed = PasswordNeeded
        if user_id in known:
            return
        if form.password is None:
            raise needed
        await self._throttle.admit_login(email, client.address)
        row = await users.credentials_by_id(self._db, user_id)
        known_hash = row["password_hash"] if row else None
        if not await self._passwords.verify(known_hash, form.password):
            raise WrongPassword
        await self._throttle.forgive(email)

    async def _take(
        self, tx: Connection, token: str, purposes: Sequence[Purpose]
    ) -> tuple[Record, Record]:
        """The person, locked, and their link, used up. The person comes first: everything that
        ends links locks in this order. Raises LinkUnusable."""
        secret, at = token_hash(token), now()
        owner = await mail_tokens.owner_of(tx, secret, purposes, at)
        row = await users.lock_user(tx, owner["user_id"]) if owner else None
        link = await mail_tokens.use_token(tx, secret, purposes, at) if row else None
        if row is None or link is None or users.is_deactivated(row, at):
            raise LinkUnusable
        if link["purpose"] not in ELSEWHERE and link["email"] != row["email"]:
            raise LinkUnusable
        return row, link

    async def _move(self, tx: Connection, row: Record, address: str) -> Record:
        """To the new address; the former one is told how to undo it, for a week."""
        former = Recipient(row["email"], row["language"])
        row = await self._set_address(tx, row, address)
        # An account that was taken over may be moved on and on: the way back leads to its start.
        if not await mail_tokens.has_token(tx, row["id"], Purpose.UNDO, now()):
            await self._letterbox.send_link(tx, row["id"], Purpose.UNDO, former)
        await self._record(tx, row["id"], "user.email-changed")
        return row

    async def _move_back(
        self, tx: Connection, row: Record, link: Record
    ) -> tuple[Record, list[str], list[KeptWay]]:
        """To the address of before; whoever moved it may know the password, so that ends too.

        Every other way in since then goes as well, and all API keys, which nobody signs in with.
        Factors and linked accounts from before the move stay: the former mailbox alone must not go
        around them. Its owner is told which these are: the thief may have made one before.
        """
        address = link["email"]
        row = await self._set_address(tx, row, address)
        await users.set_password_hash(tx, row["id"], None)
        ended = await keys.delete_keys_of(tx, row["id"])
        await ways_in.forget_ways_in(tx, row["id"], since=link["created_at"])
        await mail_tokens.delete_tokens_of(tx, row["id"])
        ended += await sessions.delete_sessions_of(tx, row["id"])
        to = Recipient(address, row["language"])
        kept = await ways_in.ways_kept(tx, row["id"])
        await self._letterbox.send_link(tx, row["id"], Purpose.RESET, to, kept)
        await self._record(tx, row["id"], "user.email-restored")
        return row, ended, kept

    async def _set_address(self, tx: Connection, row: Record, address: str) -> Record:
        try:
            return await users.set_address(tx, row["id"], address)
        except asyncpg.UniqueViolationError:
            raise EmailTaken from None

    async def _record(self, tx: Connection, user_id: int, action: str) -> None:
        """The actor is who owns the account: the mailbox spoke for them."""
        await self._audit.record(
            tx, actor=user_id, action=action, target_type="user", target_id=user_id
        )


def _person(viewer: Principal | None) -> int | None:
    """Whose session it is; an admin in somebody's name and a program are not that person."""
    if viewer is None or viewer.impersonator_id is not None or viewer.key_id is not None:
        return None
    return viewer.user_id
