"""Around every answer: security headers (OWASP ASVS 5.0, 3.4), a request id, HEAD."""

from typing import Any

from litestar.datastructures import MutableScopeHeaders
from litestar.types import ASGIApp, Message, Receive, Send
from structlog.contextvars import bound_contextvars

from app.kit.ids import new_id

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
FIXED = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
YEAR_S = 31_536_000


def with_headers(app: ASGIApp) -> ASGIApp:
    """Around the whole app: Litestar's own middleware never sees an address without a route.

    A handler's own header of the same name stays.
    """

    async def handle(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        request_id = new_id()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                for name, value in FIXED.items():
                    headers.setdefault(name, value)
                headers["x-request-id"] = request_id
                if scope["scheme"] == "https":
                    headers["strict-transport-security"] = f"max-age={YEAR_S}; includeSubDomains"
            await send(message)

        with bound_contextvars(request_id=request_id):
            await app(scope, receive, send_with_headers)

    return handle


def with_head(app: ASGIApp) -> ASGIApp:
    """Answers HEAD as GET without the body (RFC 9110, 9.3.2)."""

    async def handle(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        as_get: Any = {**scope, "method": "GET"}
        await app(as_get, receive, send_without_body)

    return handle
