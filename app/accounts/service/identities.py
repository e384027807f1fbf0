"""Whom an identity at another provider lets in, and how people link and unlink theirs.

An address links by itself only when both sides have confirmed it: else whoever opens an account in
somebody's name first would share it with them afterwards (ASVS 5.0, 6.8.1).
"""

import re
import string
from collections.abc import Mapping

import msgspec
from asyncpg import Connection, Record

from app.accounts import policy
from app.accounts.queries import identities, sessions, users
from app.accounts.schemas import (
    Admission,
    Client,
    Email,
    IdentityTaken,
    IdentityView,
    LastWayIn,
    LinkBySignIn,
    ProviderEmailUnverified,
    StaleSignIn,
)
from app.accounts.service.doorway import Doorway
from app.accounts.service.events import normal_email
from app.accounts.service.sessions import Sessions
from app.accounts.service.throttle import DoorThrottle
from app.audit.service import Audit
from app.infra.db import Database
from app.infra.federation import Vouched
from app.infra.mail import Postman
from app.kit.addresses import has_plain_domain
from app.kit.errors import NotFound, Unauthorized
from app.kit.ids import new_id
from app.kit.principal import Method, Principal
from app.kit.text import tidy

NAME_MAX = 300
LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
EMAIL_MAX = 254
CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


class Identities:
    """The links between accounts here and elsewhere."""

    def __init__(
        self,
        db: Database,
        sessions: Sessions,
        doorway: Doorway,
        throttle: DoorThrottle,
        audit: Audit,
        postman: Postman,
        *,
        names: Mapping[str, str],
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._doorway = doorway
        self._throttle = throttle
        self._audit = audit
        self._postman = postman
        self._names = names
        """Slug to name of the configured providers; links to any other let nobody in."""

    async def enter(self, provider: str, who: Vouched, client: Client) -> Admission:
        """Whoever is vouched for comes in: as the owner of the link, else as the owner of the
        confirmed address, else with a new account.

        Raises ProviderEmailUnverified, LinkBySignIn, AccountDeactivated, EmailNotVerified,
        StaleSignIn, TooManyRequests.
        """
        if await self._is_new(provider, who):
            await self._throttle.admit_signup(client.address)
        async with self._db.transaction() as tx:
            await identities.lock_subject(tx, provider, who.subject)
            user_id = await identities.owner_of(tx, provider, who.subject)
            if user_id is None:
                row = await self._by_address(tx, provider, who)
            else:
                row = await _locked(tx, user_id)
                self._doorway.check_may_enter(row)
                shown = _shown(who)
                if not await identities.touch_identity(tx, user_id, provider, who.subject, shown):
                    raise StaleSignIn  # cut while this one waited for the account
            return await self._doorway.admit(tx, row, client, Method.FEDERATED)

    async def link(self, principal: Principal, provider: str, who: Vouched) -> None:
        """Let this identity in from now on; again is no fault. Raises IdentityTaken."""
        async with self._db.transaction() as tx:
            await identities.lock_subject(tx, provider, who.subject)
            owner = await identities.owner_of(tx, provider, who.subject)
            if owner is not None and owner != principal.user_id:
                raise IdentityTaken
            if owner is None:
                await self._insert(tx, principal, principal.user_id, provider, who)

    async def list_identities(self, principal: Principal) -> list[IdentityView]:
        """One's own links."""
        rows = await identities.identities_of(self._db, principal.user_id)
        return [self._as_view(row) for row in rows]

    async def unlink(self, principal: Principal, identity_id: str) -> None:
        """Let it in no more; whoever came in by a provider elsewhere is signed out, for it may have
        been by this one. Raises FreshProofRequired, NotFound, LastWayIn.
        """
        policy.require_fresh(principal)
        async with self._db.transaction() as tx:
            await _locked(tx, principal.user_id)  # two at once cannot each leave the other
            provider = await identities.delete_identity(tx, principal.user_id, identity_id)
            if provider is None:
                raise NotFound
            await self._keep_a_way_in(tx, principal.user_id)
            ended = await sessions.delete_sessions_by(
                tx, principal.user_id, Method.FEDERATED, but=principal.session_id
            )
            detail = {"provider": provider}
            await self._told(tx, principal, principal.user_id, "identity-unlinked", detail)
        await self._sessions.close_sockets(ended)

    # --- shared steps

    async def _is_new(self, provider: str, who: Vouched) -> bool:
        """Whether an account will be opened, as far as one can say before the transaction."""
        if await identities.owner_of(self._db, provider, who.subject) is not None:
            return False
        address = trusted_address(who)
        return address is not None and (await users.credentials_by_email(self._db, address) is None)

    async def _by_address(self, tx: Connection, provider: str, who: Vouched) -> Record:
        """The account that the address leads to, linked from now on."""
        address = trusted_address(who)
        if address is None:
            raise ProviderEmailUnverified
        row = await identities.lock_by_email(tx, address)
        if row is None:
            row = await identities.insert_verified_user(tx, address, _name(who))
            if row is not None:
                await identities.insert_identity(
                    tx, new_id(), row["id"], provider, who.subject, address
                )
                return row
            row = await identities.lock_by_email(tx, address)
        if row is None or row["email_verified_at"] is None:
            raise LinkBySignIn
        self._doorway.check_may_enter(row)
        await self._insert(tx, row["id"], row["id"], provider, who)
        return row

    async def _insert(
        self, tx: Connection, actor: Principal | int, user_id: int, provider: str, who: Vouched
    ) -> None:
        await identities.insert_identity(tx, new_id(), user_id, provider, who.subject, _shown(who))
        by = "address" if isinstance(actor, int) else "owner"
        detail = {"provider": provider, "by": by}
        await self._told(tx, actor, user_id, "identity-linked", detail)

    async def _told(
        self,
        tx: Connection,
        actor: Principal | int,
        user_id: int,
        what: str,
        detail: dict[str, str],
    ) -> None:
        """One entry in the audit log, and a mail to the owner."""
        name = self._names.get(detail["provider"], detail["provider"])
        values = {"provider": name, "link": self._postman.link("/account")}
        await self._postman.send(tx, user_id, what, values)
        await self._audit.record(
            tx,
            actor=actor,
            action=f"user.{what}",
            target_type="user",
            target_id=user_id,
            detail=detail,
        )

    async def _keep_a_way_in(self, tx: Connection, user_id: int) -> None:
        if await identities.has_password_or_passkey(tx, user_id):
            return
        left = await identities.identities_of(tx, user_id)
        if not any(row["provider"] in self._names for row in left):
            raise LastWayIn

    def _as_view(self, row: Record) -> IdentityView:
        slug = row["provider"]
        return IdentityView(
            id=row["id"],
            provider=slug,
            provider_name=self._names.get(slug, slug),
            email=row["email"],
            created_at=row["created_at"],
            last_used_at=row["last_used_at"],
        )


def trusted_address(who: Vouched) -> str | None:
    """The address that the provider vouches for; None when it does not, or not exactly.

    Only A to Z are another way to write a to z. Whatever else normalisation would change (the
    Kelvin sign is a k to it) could be somebody else's mailbox at the provider; so could a domain in
    its other spelling.
    """
    if not who.is_verified or who.email is None:
        return None
    address = who.email.translate(LOWER)
    if address != normal_email(who.email) or not has_plain_domain(address):
        return None
    try:
        return msgspec.convert(address, Email)
    except msgspec.ValidationError:
        return None


def _shown(who: Vouched) -> str | None:
    """The provider's address, as a label for the owner; it decides nothing."""
    return CONTROLS.sub("", who.email)[:EMAIL_MAX] if who.email else None


def _name(who: Vouched) -> str | None:
    return tidy(CONTROLS.sub(" ", who.name or ""))[:NAME_MAX] or None


async def _locked(tx: Connection, user_id: int) -> Record:
    row = await users.lock_user(tx, user_id)
    if row is None:
        raise Unauthorized
    return row
