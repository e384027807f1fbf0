"""Reads who is asking from the cookie or the bearer token; the session store is a callable."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any, NamedTuple

import structlog
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Guard, Message, Receive, Scope, Send

from app.http.origins import check_body_kind, check_origin, header
from app.infra.db import AWAY
from app.kit.errors import AppError, Unauthorized
from app.kit.principal import Principal

Lookup = Callable[[str], Awaitable[Principal | None]]
log = structlog.get_logger(__name__)

COOKIE_NAME = "__Host-sicerdas"
"""The prefix makes browsers insist on Secure, Path=/ and no Domain (RFC 6265bis, 4.1.3.2)."""

OWN_COOKIE = "__Host-sicerdas-own"
"""Where a browser keeps an admin's own session while it is in somebody's name."""

SIGN_UP_COOKIE = "__Host-sicerdas-signup"
"""By which a browser is known that signed up and waits for the mail; it lets nobody in."""

PRINCIPAL_KEY = "principal"
KEEP_SESSION = "keep_session"
KEY_PREFIX = "sic_"
"""What API keys begin with."""


class Doors(NamedTuple):
    """Who comes in with a session's token or an API key, and how a replaced session ends."""

    by_token: Lookup
    by_key: Lookup
    replaced: Callable[[str], Awaitable[None]]


def session_cookie(token: str, *, max_age_s: int, name: str = COOKIE_NAME) -> Cookie:
    """The cookie that a browser keeps after login."""
    return Cookie(
        key=name,
        value=token,
        max_age=max_age_s,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )


def expired_cookie(name: str = COOKIE_NAME) -> Cookie:
    """The cookie that makes a browser forget the session."""
    return session_cookie("", max_age_s=0, name=name)


def cookie_token(scope: Any, name: str = COOKIE_NAME) -> str | None:
    """The session token of the Cookie header, or None."""
    for part in (header(scope, b"cookie") or "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name and value:
            return value
    return None


def keep_session(scope: Any) -> None:
    """The new cookie of this answer does not replace the session of the old one."""
    scope["state"][KEEP_SESSION] = True


def bearer_token(scope: Any) -> str | None:
    """The token of `Authorization: Bearer` (RFC 6750, 2.1), or None."""
    kind, _, token = (header(scope, b"authorization") or "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None


class SessionMiddleware(ASGIMiddleware):
    """Puts the Principal (or None) into the scope after checking where the request came from.

    A bearer token makes the cookie count for nothing; an ended session is nobody. An API key comes
    as a bearer token only: a browser never sends one by itself. When the answer sets another
    session's cookie, the session of the old one ends.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, doors: Doors, origins: Collection[str]) -> None:
        self._doors = doors
        self._origins = origins

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """See the class."""
        token = bearer_token(scope)
        if token is not None:
            is_key = token.startswith(KEY_PREFIX)
            lookup = self._doors.by_key if is_key else self._doors.by_token
            scope["state"][PRINCIPAL_KEY] = await lookup(token)
            await next_app(scope, receive, send)
            return
        token = cookie_token(scope)
        check_origin(scope, self._origins, has_cookie=token is not None)
        if token is None:
            scope["state"][PRINCIPAL_KEY] = None
            await next_app(scope, receive, send)
            return
        check_body_kind(scope)
        scope["state"][PRINCIPAL_KEY] = await self._doors.by_token(token)
        await next_app(scope, receive, self._replacing(scope, token, send))

    def _replacing(self, scope: Scope, token: str, send: Send) -> Send:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and KEEP_SESSION not in scope["state"]:
                new = _new_token(message["headers"])
                if new and new != token:
                    await self._end(token)
            await send(message)

        return watch

    async def _end(self, token: str) -> None:
        """Whoever has just come in is not turned away when the old session cannot be ended."""
        try:
            await self._doors.replaced(token)
        except (AppError, *AWAY) as fault:
            log.warning("session.not_replaced", cause=repr(fault))


def _new_token(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The session token that an answer sets, or nothing."""
    start = f"{COOKIE_NAME}=".encode()
    for name, value in headers:
        if name.lower() == b"set-cookie" and value.startswith(start):
            return value[len(start) :].partition(b";")[0].decode("latin-1").strip('"')
    return ""


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


def allowed_by(policy: Callable[[Principal], None]) -> Guard:
    """A guard for uploads: whoever the policy refuses has no body read. Raises as the policy."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        principal: Principal | None = connection.scope["state"].get(PRINCIPAL_KEY)
        if principal is not None:
            policy(principal)

    return guard


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
