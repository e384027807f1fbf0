"""Reads who is asking from the cookie or the bearer token; the session store is a callable."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from app.http.origins import check_body_kind, check_origin, header
from app.kit.errors import Unauthorized
from app.kit.principal import Principal

SessionLookup = Callable[[str], Awaitable[Principal | None]]

COOKIE_NAME = "__Host-sicerdas"
"""The prefix makes browsers insist on Secure, Path=/ and no Domain (RFC 6265bis, 4.1.3.2)."""

PRINCIPAL_KEY = "principal"


def session_cookie(token: str, *, max_age_s: int) -> Cookie:
    """The cookie that a browser keeps after login."""
    return Cookie(
        key=COOKIE_NAME,
        value=token,
        max_age=max_age_s,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )


def expired_cookie() -> Cookie:
    """The cookie that makes a browser forget the session."""
    return session_cookie("", max_age_s=0)


def cookie_value(scope: Any, wanted: str) -> str | None:
    """One cookie of the Cookie header, or None."""
    for part in (header(scope, b"cookie") or "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted and value:
            return value
    return None


def cookie_token(scope: Any) -> str | None:
    """The session token of the Cookie header, or None."""
    return cookie_value(scope, COOKIE_NAME)


def bearer_token(scope: Any) -> str | None:
    """The token of `Authorization: Bearer` (RFC 6750, 2.1), or None."""
    kind, _, token = (header(scope, b"authorization") or "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None


class SessionMiddleware(ASGIMiddleware):
    """Puts the Principal (or None) into the scope after checking where the request came from.

    A bearer token makes the cookie count for nothing; an ended session is nobody.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, lookup: SessionLookup, origins: Collection[str]) -> None:
        self._lookup = lookup
        self._origins = origins

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """See the class."""
        token = bearer_token(scope)
        if token is None:
            token = cookie_token(scope)
            check_origin(scope, self._origins, has_cookie=token is not None)
            if token is not None:
                check_body_kind(scope)
        scope["state"][PRINCIPAL_KEY] = await self._lookup(token) if token else None
        await next_app(scope, receive, send)


def signed_in(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The app-wide guard: a handler that names `principal` is for signed-in people only.

    It runs before the body is read, so that a stranger learns nothing from validation.
    Raises Unauthorized.
    """
    if (
        "principal" in handler.parsed_fn_signature.parameters
        and connection.scope["state"].get(PRINCIPAL_KEY) is None
    ):
        raise Unauthorized


async def provide_principal(request: Request[Any, Any, Any]) -> Principal:
    """The signed-in person; `signed_in` has made sure there is one."""
    principal: Principal | None = request.scope["state"].get(PRINCIPAL_KEY)
    if principal is None:
        raise Unauthorized
    return principal


async def provide_viewer(request: Request[Any, Any, Any]) -> Principal | None:
    """The signed-in person or None, for addresses that are open to everybody."""
    viewer: Principal | None = request.scope["state"].get(PRINCIPAL_KEY)
    return viewer
