"""Requests that happen once: claims, the mark inside the mutation's transaction, kept answers.

A claim is a lease. The transaction that carries the request out marks the claim in the same commit:
neither a crash between commit and answer nor a lost lease can make the effect twice.
"""

import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from datetime import timedelta

from msgspec import Struct

from app.infra.db import Database, Queryable
from app.kit.clock import now
from app.kit.errors import Conflict, Unprocessable
from app.kit.ids import new_id

KEPT = timedelta(hours=24)
LEASE = timedelta(seconds=120)
"""Above the longest answer; after it a request that was never carried out may be tried again."""

SUCCESS = 200
ATTEMPTS = 3
"""A claim that vanishes between two looks was released: look again, but not for ever."""

CLAIM = """
INSERT INTO idempotency_key AS k (scope, key, fingerprint, claim, locked_until, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (scope, key) DO UPDATE SET
    fingerprint = excluded.fingerprint, claim = excluded.claim, carried_out = false,
    locked_until = excluded.locked_until, created_at = excluded.created_at,
    status = NULL, headers = NULL, body = NULL
WHERE k.created_at < $7 OR (
    k.fingerprint = excluded.fingerprint AND k.status IS NULL
    AND NOT k.carried_out AND k.locked_until < $6)
RETURNING claim
"""
LOOK = """
SELECT fingerprint, locked_until, carried_out, status, headers, body
FROM idempotency_key WHERE scope = $1 AND key = $2
"""
HAS_WRITTEN = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL"
MARK = """
UPDATE idempotency_key SET carried_out = true WHERE scope = $1 AND key = $2 AND claim = $3
"""
KEEP = """
UPDATE idempotency_key SET status = $4, headers = $5, body = $6
WHERE scope = $1 AND key = $2 AND claim = $3
"""
# A request that was carried out but has no answer to keep stays known; any other may be tried anew.
FORGET = """
DELETE FROM idempotency_key WHERE scope = $1 AND key = $2 AND claim = $3 AND NOT carried_out
"""
END_LEASE = """
UPDATE idempotency_key SET locked_until = $4 WHERE scope = $1 AND key = $2 AND claim = $3
"""
TRIM = "DELETE FROM idempotency_key WHERE created_at < $1"  # idempotency_key_created_at


class IdempotencyKeyReused(Unprocessable):
    """The key came before with another body."""

    code = "idempotency-key-reused"
    title = "This Idempotency-Key was used for a different request"


class RequestInProgress(Conflict):
    """The same request is being carried out right now."""

    code = "request-in-progress"
    title = "The same request is being carried out right now"


class RequestAlreadyCarriedOut(Conflict):
    """The request had its effect, but its answer was lost or could not be kept."""

    code = "request-already-carried-out"
    title = "This request was carried out before; read the present state"


class Claim(Struct, frozen=True):
    """The right to carry out one request; `scope` names person, method and address."""

    scope: str
    key: str
    token: str


class StoredAnswer(Struct, frozen=True):
    """An answer as it goes over the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


_current: ContextVar[Claim | None] = ContextVar("idempotency_claim", default=None)


@contextlib.contextmanager
def acting_under(claim: Claim) -> Iterator[None]:
    """Every transaction of the block that writes marks this claim in the same commit."""
    token = _current.set(claim)
    try:
        yield
    finally:
        _current.reset(token)


def is_acting() -> bool:
    """Whether a claim is waiting for its mark."""
    return _current.get() is not None


@contextlib.contextmanager
def _not_acting() -> Iterator[None]:
    """For the store's own statements: they are no effect of the request."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


async def mark_carried_out(tx: Queryable) -> None:
    """The database calls this before each commit. Raises RequestInProgress, and so rolls back,
    when somebody else took the claim over meanwhile."""
    claim = _current.get()
    if claim is None or not await tx.fetchval(HAS_WRITTEN):
        return
    if await tx.execute(MARK, claim.scope, claim.key, claim.token) != "UPDATE 1":
        raise RequestInProgress


class IdempotencyKeys:
    """The store behind the middleware; `trim` is called now and then by the worker."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim(self, scope: str, key: str, fingerprint: bytes) -> Claim | StoredAnswer:
        """The right to go on, or the answer that was given before.

        Raises IdempotencyKeyReused, RequestInProgress, RequestAlreadyCarriedOut.
        """
        token, at = new_id(), now()
        for _ in range(ATTEMPTS):
            times = (at + LEASE, at, at - KEPT)
            if await self._db.fetchval(CLAIM, scope, key, fingerprint, token, *times):
                return Claim(scope, key, token)
            row = await self._db.fetchrow(LOOK, scope, key)
            if row is None:
                continue
            if row["fingerprint"] != fingerprint:
                raise IdempotencyKeyReused
            if row["status"] is not None:
                headers = [(name, value) for name, value in row["headers"]]
                return StoredAnswer(row["status"], headers, row["body"])
            if row["carried_out"] and row["locked_until"] < at:
                raise RequestAlreadyCarriedOut
            break
        raise RequestInProgress(retry_after=1)

    async def keep(self, claim: Claim, answer: StoredAnswer) -> None:
        """Remember the answer for `KEPT`."""
        kept = (answer.status, answer.headers, answer.body)
        with _not_acting():
            await self._db.execute(KEEP, claim.scope, claim.key, claim.token, *kept)

    async def release(self, claim: Claim) -> None:
        """There is no answer to keep: the same key may be tried again, unless it had its effect."""
        mine = (claim.scope, claim.key, claim.token)
        with _not_acting():
            if await self._db.execute(FORGET, *mine) == "DELETE 0":
                await self._db.execute(END_LEASE, *mine, now())

    async def trim(self) -> None:
        """Forget what is older than `KEPT`."""
        await self._db.execute(TRIM, now() - KEPT)

    async def once(
        self, scope: str, key: str, request: bytes, act: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        """Carry out a call that came over a socket; a repetition gets the first answer.

        A refusal leaves the key free. Raises as `claim` does, and what `act` raises.
        """
        claim = await self.claim(scope, key, hashlib.sha256(request).digest())
        if isinstance(claim, StoredAnswer):
            return claim.body
        try:
            with acting_under(claim):
                body = await act()
        except BaseException:
            await self.release(claim)
            raise
        await self.keep(claim, StoredAnswer(SUCCESS, [], body))
        return body
