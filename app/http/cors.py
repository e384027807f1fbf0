"""CORS for the origins of an allow-list (Fetch standard, 3.2; OWASP ASVS 5.0, 3.4.2).

Litestar's own says nothing to requests without `Origin` and overwrites `Vary`, so that a shared
cache could hand one origin's answer to another.
"""

from collections.abc import Collection
from typing import Any

from litestar.datastructures import MutableScopeHeaders
from litestar.types import ASGIApp, Message, Receive, Send

from app.http.origins import header

METHODS = "GET, HEAD, POST, PUT, DELETE"
ASKED_HEADERS = (
    "accept, authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id"
)
SHOWN_HEADERS = (
    "etag, idempotency-replayed, location, ratelimit, ratelimit-policy, retry-after, x-request-id"
)
MAX_AGE_S = 600


def with_cors(app: ASGIApp, listed: Collection[str]) -> ASGIApp:
    """Around the whole app. Without a list there is nothing to say, and nothing is said."""
    if not listed:
        return app

    async def handle(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        origin = header(scope, b"origin")
        allowed = origin if origin in listed else None
        if allowed is not None and _is_preflight(scope):
            await _answer_preflight(allowed, send)
            return

        await app(scope, receive, _telling(allowed, send))

    return handle


def _telling(allowed: str | None, send: Send) -> Send:
    async def send_with_cors(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableScopeHeaders.from_message(message)
            headers.extend_header_value("vary", "Origin")
            if allowed is not None:
                for name, value in _grants(allowed):
                    headers[name] = value
                headers["access-control-expose-headers"] = SHOWN_HEADERS
        await send(message)

    return send_with_cors


def _is_preflight(scope: Any) -> bool:
    asked = header(scope, b"access-control-request-method")
    return scope["method"] == "OPTIONS" and asked is not None


def _grants(origin: str) -> list[tuple[str, str]]:
    """The exact origin, never a wildcard: only so do browsers send credentials."""
    return [
        ("access-control-allow-origin", origin),
        ("access-control-allow-credentials", "true"),
    ]


async def _answer_preflight(origin: str, send: Any) -> None:
    pairs = [
        *_grants(origin),
        ("access-control-allow-methods", METHODS),
        ("access-control-allow-headers", ASKED_HEADERS),
        ("access-control-max-age", str(MAX_AGE_S)),
        ("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]
    headers = [(name.encode(), value.encode()) for name, value in pairs]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
