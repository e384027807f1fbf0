"""Accounts: one verb, one transaction, one story."""

from typing import Any

import msgspec
from asyncpg import Connection, Record

from app.accounts import policy
from app.accounts.queries import factors, users
from app.accounts.queries import sessions as session_queries
from app.accounts.schemas import (
    Admission,
    Asked,
    ChangePassword,
    Client,
    EmailTaken,
    LogIn,
    Newcomer,
    PasswordTooCommon,
    SignUp,
    UpdateMe,
    User,
    WrongCredentials,
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
from app.infra.passwords import Passwords
from app.infra.weak_passwords import WeakPasswords
from app.kit.errors import NotFound, Unauthorized
from app.kit.principal import Method, Principal, Role
from app.kit.text import tidy

RACES = 3
"""A hash may be renewed by another login between reading and using it; so often it is read anew."""


class Accounts:
    """People: how they come in and out, and what they do with their own account."""

    def __init__(
        self,
        db: Database,
        sessions: Sessions,
        doorway: Doorway,
        passwords: Passwords,
        weak: WeakPasswords,
        throttle: DoorThrottle,
        audit: Audit,
        log: DurableChannelLog,
        letterbox: Letterbox,
        *,
        must_verify: bool,
        publish_log: PublishLog,
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._doorway = doorway
        self._passwords = passwords
        self._weak = weak
        self._throttle = throttle
        self._audit = audit
        self._log = log
        self._letterbox = letterbox
        self._must_verify = must_verify
        self._publish_log = publish_log

    # --- signing in and out

    async def sign_up(self, form: SignUp, client: Client) -> Admission | str:
        """A new account, signed in; a mark for this browser where the address must be confirmed.

        Then nothing tells whether the address was free, not even the time that it takes: a job
        opens the account.
        Raises DeceptiveAddress, DomainNotAscii, PasswordTooCommon, TooManyRequests, and EmailTaken
        otherwise.
        """
        email, name = normal_email(form.email), tidy(form.name) if form.name else None
        check_new_address(email)
        self._refuse_weak(form.password, email, name, "password")
        await self._throttle.admit_signup(client.address)
        await self._throttle.admit_mail(email, client.address)
        password_hash = await self._passwords.hash(form.password)
        async with self._db.transaction() as tx:
            if self._must_verify:
                user_id = await users.next_user_id(tx)
                newcomer = Newcomer(user_id, email, password_hash, name, client.language)
                return await self._letterbox.expect(tx, newcomer)
            row = await users.insert_user(tx, email, password_hash, name, client.language)
            if row is None:
                raise EmailTaken
            await self._letterbox.enqueue(tx, Asked("signup", email, client.language, row["id"]))
            return await self._doorway.admit(tx, row, client, Method.PASSWORD)

    async def log_in(self, form: LogIn, client: Client) -> Admission:
        """A new session.

        An address that is still to be confirmed is answered like a wrong password: whoever signs
        up with somebody's address and comes back with that password must not learn from the answer
        whether it was free. Raises TooManyRequests, WrongCredentials, AccountDeactivated.
        """
        email = normal_email(form.email)
        await self._throttle.admit_login(email, client.address)
        for _ in range(RACES):
            row = await users.credentials_by_email(self._db, email)
            known_hash = row["password_hash"] if row else None
            if not await self._passwords.verify(known_hash, form.password) or row is None:
                break
            if self._doorway.waits_for_its_mailbox(row):
                break
            await self._throttle.forgive(email)
            self._doorway.check_may_enter(row)
            admission = await self._enter(row, form.password, client)
            if admission is not None:
                return admission
        raise WrongCredentials

    async def _enter(self, row: Record, password: str, client: Client) -> Admission | None:
        """A session; None when the password or the account changed since `row` was read:
        whoever knew the old password must not come in after its end."""
        fresh_hash = None
        if self._passwords.needs_rehash(row["password_hash"]):
            fresh_hash = await self._passwords.hash(password)
        async with self._db.transaction() as tx:
            if not await users.lock_credentials(tx, row["id"], row["password_hash"]):
                return None
            if fresh_hash is not None:
                await users.set_password_hash(tx, row["id"], fresh_hash)
            return await self._doorway.admit(tx, row, client, Method.PASSWORD)

    async def change_password(
        self, principal: Principal, form: ChangePassword, client: Client
    ) -> Admission:
        """Another password. All sessions end with their sockets; a new one is opened here.

        Whoever has a second factor must have given it just now. Raises FreshProofRequired,
        PasswordTooCommon, TooManyRequests, WrongPassword, Unauthorized.
        """
        user_id, email = principal.user_id, principal.email
        if factors.ways_of(await factors.enrolled(self._db, user_id)):
            policy.require_fresh(principal)
        self._refuse_weak(form.new_password, email, principal.name, "new_password")
        await self._throttle.admit_login(email, client.address)
        row = await users.credentials_by_id(self._db, user_id)
        known_hash = row["password_hash"] if row else None
        if not await self._passwords.verify(known_hash, form.current_password) or row is None:
            raise WrongPassword
        await self._throttle.forgive(email)
        new_hash = await self._passwords.hash(form.new_password)
        async with self._db.transaction() as tx:
            if not await users.lock_credentials(tx, user_id, row["password_hash"]):
                raise WrongPassword
            await users.set_password_hash(tx, user_id, new_hash)
            ended = await session_queries.delete_sessions_of(tx, user_id)
            if principal.session_id not in ended:
                raise Unauthorized  # ended meanwhile, and nothing is changed in its name
            token = await self._sessions.open_session(tx, user_id, client, principal.methods)
            await self._letterbox.changed_password(tx, user_id)
            await self._record(tx, principal, "user.password-changed", user_id, {})
        await self._sessions.close_sockets(ended)
        return Admission(users.as_user(row), token)

    # --- one's own account

    async def me(self, principal: Principal) -> User:
        """The signed-in person's account. Raises NotFound."""
        row = await users.user_by_id(self._db, principal.user_id)
        if row is None:
            raise NotFound
        return users.as_user(row)

    async def update_me(self, principal: Principal, form: UpdateMe, version: int | None) -> User:
        """Change one's profile. Raises PreconditionFailed when `version` is old."""
        async with self._db.transaction() as tx:
            row = await locked(tx, principal.user_id, version)
            if isinstance(form.name, msgspec.UnsetType):
                return users.as_user(row)
            name = tidy(form.name) if form.name else None
            row = await users.update_name(tx, principal.user_id, name)
            user, publication = await announce(tx, self._log, row)
        await self._publish_log(user_channel(user.id), publication)
        return user

    # --- for the operator and other rooms

    async def ensure_account(self, email: str, name: str, password: str, role: Role) -> int:
        """The id of an account that exists afterwards, verified and with this role.

        For the operator and the sample library. An account whose address was confirmed keeps its
        password; any other may be a stranger's, who gets no office by it: nothing of theirs stays.
        Raises PasswordTooCommon.
        """
        address = normal_email(email)
        row = await users.user_by_email(self._db, address)
        password_hash = ""
        if row is None or row["email_verified_at"] is None:
            self._refuse_weak(password, address, name, "password")
            password_hash = await self._passwords.hash(password)
        ended: list[str] = []
        async with self._db.transaction() as tx:
            row = row or await users.insert_user(tx, address, password_hash, name)
            row = row or await users.user_by_email(tx, address)
            row = await users.lock_user(tx, row["id"]) if row else None
            if row is None:
                raise NotFound(f"No account {address}")
            if row["email_verified_at"] is None:
                ended = await forget_stranger(tx, row["id"])
                await users.set_password_hash(tx, row["id"], password_hash)
            await users.set_verified(tx, address)
            if row["role"] != role:
                detail = {"from": row["role"], "to": role.value}
                await self._record(tx, None, "user.role-set", row["id"], detail)
                await users.set_role(tx, row["id"], role.value)
                ended += await session_queries.delete_sessions_of(tx, row["id"])
        await self._sessions.close_sockets(ended)
        return int(row["id"])

    async def public_name(self, user_id: int) -> str | None:
        """What others may see of an account; None when there is no such account."""
        row = await users.user_by_id(self._db, user_id)
        return (row["name"] or f"#{user_id}") if row else None

    # --- shared steps

    def _refuse_weak(self, password: str, email: str, name: str | None, field: str) -> None:
        own = (email, email.partition("@")[0], name or "")
        if self._weak.refuses(password, own):
            raise PasswordTooCommon(field)

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
