"""`Idempotency-Key` on every mutating request (draft-ietf-httpapi-idempotency-key-header-07).

Never kept: 401, 429, 5xx, bodies above MAX_KEPT_BYTES, and answers with a secret: `Set-Cookie`, or
`no-store` on a success that is no stream. Of those only the fact is kept: a repetition is told
that it was carried out. Where nobody is signed in a key belongs to the network it came from, and
only successes are kept: a stranger who guesses it learns and spoils nothing.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Any, Protocol

import structlog
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPRequestEvent, Message, Receive, Send

from app.http.origins import SAFE_METHODS, header
from app.http.sessions import PRINCIPAL_KEY
from app.infra.db import AWAY
from app.infra.idempotency import Claim, StoredAnswer, acting_under
from app.infra.ratelimit import network_of
from app.kit.errors import AppError, FieldError, InvalidInput, PayloadTooLarge
from app.kit.principal import Principal

log = structlog.get_logger()

KEY_HEADER = b"idempotency-key"
REPLAYED_HEADER = (b"idempotency-replayed", b"true")
KEY = re.compile(r"[\x21-\x7e]{1,255}")
BOUNDARY = re.compile(rb'boundary="?([^";,\s]+)')
MAX_KEPT_BYTES = 256 * 1024
KEPT_HEADERS = frozenset(
    {
        "cache-control",
        "content-encoding",
        "content-type",
        "etag",
        "last-modified",
        "link",
        "location",
    }
)
NEVER_KEPT = frozenset({401, 429})
SUCCESS, REDIRECT, FAULT, SERVER_FAULT = 200, 300, 400, 500


class IdempotencyStore(Protocol):
    """Who remembers; see `app.infra.idempotency` for what each verb promises."""

    async def claim(self, scope: str, key: str, fingerprint: bytes) -> Claim | StoredAnswer:
        """The right to go on, or the answer that was given before."""
        ...

    async def keep(self, claim: Claim, answer: StoredAnswer) -> None:
        """Remember the answer."""
        ...

    async def release(self, claim: Claim) -> None:
        """There is no answer to keep."""
        ...


class IdempotencyMiddleware(ASGIMiddleware):
    """Stands after SessionMiddleware: it must know who asks.

    A route's own `request_max_body_size` bounds the body, else `max_body_bytes`.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, store: IdempotencyStore, *, max_body_bytes: int) -> None:
        self._store = store
        self._max_body_bytes = max_body_bytes

    async def handle(self, scope: Any, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """See the module. Raises InvalidInput, PayloadTooLarge and what the store raises."""
        principal: Principal | None = scope["state"].get(PRINCIPAL_KEY)
        key = None if scope["method"] in SAFE_METHODS else header(scope, KEY_HEADER)
        handler = scope["route_handler"]
        if key is None or not isinstance(handler, HTTPRouteHandler):
            await next_app(scope, receive, send)
            return
        key = _checked(key)
        # Whoever the guards refuse sends no body: it would have to be held whole.
        await handler.authorize_connection(ASGIConnection(scope))
        body = await _read_body(receive, self._limit(handler))
        owner = f"{_owner(scope, principal)} {scope['method']} {scope['path']}"
        claim = await self._store.claim(owner, key, _fingerprint(scope, body))
        if isinstance(claim, StoredAnswer):
            await _replay(claim, send)
            return
        exchange = _Exchange(self._store, claim, send, keeps_refusals=principal is not None)
        try:
            with acting_under(claim):
                await next_app(scope, _receive_again(body, receive), exchange.send)
        finally:
            await exchange.settle()

    def _limit(self, handler: HTTPRouteHandler) -> int:
        return handler.resolve_request_max_body_size() or self._max_body_bytes


def _owner(scope: Any, principal: Principal | None) -> str:
    """Whose key it is; no number of a person looks like a network."""
    if principal is not None:
        return str(principal.user_id)
    return f"nobody@{network_of(scope['client'][0] if scope.get('client') else '')}"


class _Exchange:
    """Passes an answer on, copies it up to the bound, and settles the claim before its last part:
    whoever has the whole answer may repeat the request at once."""

    def __init__(
        self, store: IdempotencyStore, claim: Claim, send: Send, *, keeps_refusals: bool
    ) -> None:
        self._store = store
        self._claim = claim
        self._send = send
        self._keeps_refusals = keeps_refusals
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()
        self._is_whole = False
        self._is_settled = False

    async def send(self, message: Message) -> None:
        """Stands in for the server's `send`."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = _text_pairs(message["headers"])
        elif message["type"] == "http.response.body":
            if len(self._body) <= MAX_KEPT_BYTES:
                self._body += message["body"]
            if not message["more_body"]:
                self._is_whole = True
                await self.settle()
        await self._send(message)

    async def settle(self) -> None:
        """Keep the answer or release the claim, once. An answer that is under way is never spoiled
        by a store that is away: then the claim's own marks decide about a repetition."""
        if self._is_settled:
            return
        self._is_settled = True
        try:
            answer = self._answer()
            if answer is None:
                await self._store.release(self._claim)
            else:
                await self._store.keep(self._claim, answer)
        except (AppError, *AWAY) as fault:
            log.warning("idempotency.not-settled", key=self._claim.key, cause=repr(fault))

    def _answer(self) -> StoredAnswer | None:
        fits = self._is_whole and len(self._body) <= MAX_KEPT_BYTES
        if not fits or not _may_keep(self._status, dict(self._headers)):
            return None
        if self._status >= FAULT and not self._keeps_refusals:
            return None
        headers = [(name, value) for name, value in self._headers if name in KEPT_HEADERS]
        return StoredAnswer(self._status, headers, bytes(self._body))


def _may_keep(status: int, headers: dict[str, str]) -> bool:
    if "set-cookie" in headers:
        return False
    if SUCCESS <= status < REDIRECT:
        is_stream = headers.get("content-type", "").startswith("text/event-stream")
        return is_stream or "no-store" not in headers.get("cache-control", "")
    return FAULT <= status < SERVER_FAULT and status not in NEVER_KEPT


def _checked(key: str) -> str:
    if KEY.fullmatch(key) is None:
        wrong = FieldError("Idempotency-Key", "1 to 255 visible ASCII characters")
        raise InvalidInput(errors=[wrong])
    return key


def _fingerprint(scope: Any, body: bytes) -> bytes:
    """What makes two requests the same: query, kind, body and the version they were made on; a
    form's boundary is random."""
    named = header(scope, b"if-match")
    version = b"" if named is None else b"=" + named.encode("latin-1")  # an empty one is not none
    kind = (header(scope, b"content-type") or "").encode("latin-1")
    boundary = BOUNDARY.search(kind)
    if boundary is not None:
        kind, body = kind.replace(boundary[1], b""), body.replace(boundary[1], b"")
    digest = hashlib.sha256()
    for part in (scope["query_string"], kind, version, body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


async def _read_body(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)  # the client went away; the handler will notice
        body += message["body"]
        if len(body) > limit:
            raise PayloadTooLarge
        if not message["more_body"]:
            return bytes(body)


def _receive_again(body: bytes, receive: Receive) -> Receive:
    first: list[HTTPRequestEvent] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return first.pop() if first else await receive()

    return again


async def _replay(answer: StoredAnswer, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    length = (b"content-length", str(len(answer.body)).encode())
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [*headers, length, REPLAYED_HEADER],
        }
    )
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _text_pairs(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]
