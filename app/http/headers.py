"""Security headers on every answer (OWASP ASVS 5.0, 3.4) and a request id for the logs."""

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send
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


class HeadersMiddleware(ASGIMiddleware):
    """Adds what is missing; a handler's own header of the same name stays."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """See the class."""
        request_id = new_id()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                for name, value in FIXED.items():
                    headers.setdefault(name, value)
                headers["x-request-id"] = request_id
                if scope["scheme"] == "https":
                    headers["strict-transport-security"] = f"max-age={YEAR_S}"
            await send(message)

        with bound_contextvars(request_id=request_id):
            await next_app(scope, receive, send_with_headers)
