"""REST of coming in and going out: parse, call one verb, answer."""

from typing import Any

from litestar import Response, get, post, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import JSONBody

from app.accounts.routes.answers import AnyRequest, client_of, signed_in_as
from app.accounts.schemas import (
    ChangePassword,
    LogIn,
    NoContentYet,
    RealtimeToken,
    SignedIn,
    SignUp,
)
from app.accounts.service import Accounts, Sessions
from app.http.reach import for_impersonators
from app.http.sessions import (
    OWN_COOKIE,
    SIGN_UP_COOKIE,
    bearer_token,
    expired_cookie,
    session_cookie,
)
from app.infra.tokens import RealtimeTokens
from app.kit.principal import Principal
from app.settings import Settings

CONFIRM_FIRST = ResponseSpec(
    NoContentYet, description="Taken or new: the address is told by mail", generate_examples=False
)


@post("/auth/signup", operation_id="signUp", status_code=201, responses={202: CONFIRM_FIRST})
async def sign_up(
    data: JSONBody[SignUp],
    request: AnyRequest,
    accounts: NamedDependency[Accounts],
    settings: NamedDependency[Settings],
) -> Response[SignedIn]:
    """Create an account. Signs in at once, or answers 202 where the address must be confirmed."""
    admission = await accounts.sign_up(data, client_of(request))
    if isinstance(admission, str):
        pending: Any = NoContentYet()  # Litestar describes one success; CONFIRM_FIRST adds this one
        mark = session_cookie(admission, max_age_s=settings.verify_link_s, name=SIGN_UP_COOKIE)
        return Response(pending, status_code=202, cookies=[mark])
    return signed_in_as(admission, settings, is_bearer=False, status=201)


@post("/auth/login", operation_id="logIn", status_code=200)
async def log_in(
    data: JSONBody[LogIn],
    request: AnyRequest,
    accounts: NamedDependency[Accounts],
    settings: NamedDependency[Settings],
) -> Response[SignedIn]:
    """Sign in. `"transport": "bearer"` answers the token in the body and sets no cookie."""
    admission = await accounts.log_in(data, client_of(request))
    return signed_in_as(admission, settings, is_bearer=data.transport == "bearer")


@post("/auth/logout", operation_id="logOut", status_code=204, opt=for_impersonators())
async def log_out(
    principal: NamedDependency[Principal], sessions: NamedDependency[Sessions]
) -> Response[None]:
    """End this session; its sockets close."""
    await sessions.end_own(principal)
    return Response(None, status_code=204, cookies=[expired_cookie(), expired_cookie(OWN_COOKIE)])


@put("/auth/password", operation_id="changePassword")
async def change_password(
    data: JSONBody[ChangePassword],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    accounts: NamedDependency[Accounts],
    settings: NamedDependency[Settings],
) -> Response[SignedIn]:
    """Change one's password. All sessions and their sockets end, and this client gets a new one:
    a cookie, or for a bearer client the token in the body."""
    admission = await accounts.change_password(principal, data, client_of(request))
    return signed_in_as(admission, settings, is_bearer=bearer_token(request.scope) is not None)


@get("/realtime/token", operation_id="realtimeToken")
async def realtime_token(
    principal: NamedDependency[Principal],
    tokens: NamedDependency[RealtimeTokens],
    settings: NamedDependency[Settings],
) -> Response[RealtimeToken]:
    """A token for the `connect` command of the realtime protocol."""
    token = tokens.sign(principal.user_id, principal.session_id)
    body = RealtimeToken(token, settings.realtime_token_s)
    return Response(body, headers={"cache-control": "no-store"})


routes = [sign_up, log_in, log_out, change_password, realtime_token]
