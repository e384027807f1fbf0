"""API keys: made and revoked by their owner, shown once, and read on every request of a program."""

import secrets
import string
import zlib

from app.accounts import policy
from app.accounts.queries import keys, users
from app.accounts.schemas import ApiKey, CreateApiKey, NewApiKey, TooManyApiKeys
from app.accounts.service.events import EndSockets
from app.audit.service import Audit
from app.infra.db import Database
from app.infra.mail import Postman
from app.infra.ratelimit import Rate, RateLimiter
from app.kit.clock import now
from app.kit.errors import FieldError, InvalidInput, NotFound
from app.kit.ids import new_id
from app.kit.paging import Page, decode_cursor, encode_cursor
from app.kit.principal import Principal
from app.kit.secret import token_hash
from app.kit.text import tidy
from app.settings import Settings

PREFIX = "sic_"
"""Whoever finds a key in a log or a repository sees at once whose it is."""
DIGITS = string.digits + string.ascii_letters
RANDOM_DIGITS = 43
"""62^43 is above 2^256."""
CHECK_DIGITS = 6
"""A CRC-32: a misspelt key is refused without asking the database."""
HINT_DIGITS = 4
SEEN_EVERY_S = 60


class ApiKeys:
    """What programs come in with."""

    def __init__(
        self,
        db: Database,
        audit: Audit,
        postman: Postman,
        limiter: RateLimiter,
        settings: Settings,
        *,
        end_sockets: EndSockets,
    ) -> None:
        self._end_sockets = end_sockets
        self._db = db
        self._audit = audit
        self._postman = postman
        self._limiter = limiter
        self._rate = Rate("api-key", settings.requests_per_key_per_minute, 60.0)
        self._staff_needs_two = settings.require_staff_second_factor
        self._most = settings.api_keys_per_user

    async def principal_by_key(self, key: str) -> Principal | None:
        """Whoever the key belongs to, as far as it reaches; None when it is worth nothing.

        Raises TooManyRequests.
        """
        if not is_well_formed(key):
            return None
        row = await keys.live_key(self._db, token_hash(key))
        if row is None:
            return None
        await self._limiter.spend((self._rate, row["key_id"]))
        used_at = row["last_used_at"]
        if used_at is None or (now() - used_at).total_seconds() > SEEN_EVERY_S:
            await keys.touch_key(self._db, row["key_id"])
        return keys.as_program(row, staff_needs_two=self._staff_needs_two)

    async def principal_by_id(self, key_id: str) -> Principal | None:
        """The same of a key that was let in before; None when it has ended since."""
        row = await keys.live_key(self._db, key_id)
        return keys.as_program(row, staff_needs_two=self._staff_needs_two) if row else None

    async def create_key(self, principal: Principal, form: CreateApiKey) -> NewApiKey:
        """A new key, shown this once.

        Raises FreshProofRequired, SecondFactorRequired, InvalidInput, TooManyApiKeys.
        """
        policy.can_make_keys(principal)
        if form.expires_at is not None and form.expires_at <= now():
            raise InvalidInput(errors=[FieldError("expires_at", "a time to come")])
        key, key_id = new_key(), new_id()
        async with self._db.transaction() as tx:
            await users.lock_user(tx, principal.user_id)
            if await keys.count_keys(tx, principal.user_id) >= self._most:
                raise TooManyApiKeys
            row = await keys.insert_key(
                tx,
                key_id,
                principal.user_id,
                name=tidy(form.name),
                hint=key[: len(PREFIX) + HINT_DIGITS],
                token_hash=token_hash(key),
                scopes=sorted(set(form.scopes)),
                expires_at=form.expires_at,
            )
            if row is None:
                raise NotFound
            made = keys.as_key(row)
            told = {"link": self._postman.link("/account"), "name": made.name}
            await self._postman.send(tx, principal.user_id, "api-key-created", told)
            detail = {"name": made.name, "scopes": [scope.value for scope in made.scopes]}
            await self._audit.record(
                tx,
                actor=principal,
                action="api-key.created",
                target_type="api-key",
                target_id=key_id,
                detail=detail,
            )
        return NewApiKey(key, made)

    async def list_keys(self, principal: Principal, limit: int, cursor: str | None) -> Page[ApiKey]:
        """One's own keys, the newest first. Raises InvalidInput."""
        before = decode_cursor(cursor, str)[0] if cursor else None
        rows = await keys.keys_of(self._db, principal.user_id, before, limit + 1)
        page = [keys.as_key(row) for row in rows[:limit]]
        return Page(page, encode_cursor([page[-1].id]) if len(rows) > limit else None)

    async def revoke_key(self, principal: Principal, key_id: str) -> None:
        """End one of one's own keys, and the answers that a program is being read by it.

        Raises NotFound, for a stranger's as well.
        """
        async with self._db.transaction() as tx:
            row = await keys.delete_key(tx, principal.user_id, key_id)
            if row is None:
                raise NotFound
            await self._audit.record(
                tx,
                actor=principal,
                action="api-key.revoked",
                target_type="api-key",
                target_id=key_id,
                detail={"name": row["name"]},
            )
        await self._end_sockets(key_id)


def new_key() -> str:
    """`sic_`, 256 random bits, and the check digits."""
    body = "".join(secrets.choice(DIGITS) for _ in range(RANDOM_DIGITS))
    return PREFIX + body + _check(body)


def is_well_formed(key: str) -> bool:
    """Whether this is a key that we may have made."""
    body, check = key[len(PREFIX) : -CHECK_DIGITS], key[-CHECK_DIGITS:]
    return key.startswith(PREFIX) and len(body) == RANDOM_DIGITS and check == _check(body)


def _check(body: str) -> str:
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECK_DIGITS):
        rest, digit = divmod(rest, len(DIGITS))
        digits = DIGITS[digit] + digits
    return digits
