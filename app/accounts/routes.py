"""REST of accounts: parse, call one verb, answer."""

from typing import Any, Literal

from litestar import Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromQuery, JSONBody

from app.accounts.schemas import (
    Client,
    Deactivate,
    LogIn,
    NoContentYet,
    RealtimeToken,
    SetRole,
    SignedIn,
    SignUp,
    UpdateMe,
    User,
)
from app.accounts.service import Accounts
from app.http.etag import conditional, if_match, versioned
from app.http.params import Limit, OptionalCursor, OptionalText, PathId
from app.http.sessions import expired_cookie, session_cookie
from app.infra.listing import PageRequest
from app.infra.tokens import RealtimeTokens
from app.kit.paging import DEFAULT_PAGE, Page
from app.kit.principal import Principal, Role
from app.settings import Settings

AnyRequest = Request[Any, Any, Any]


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
    result = await accounts.sign_up(data, _client(request))
    if result is None:
        pending: Any = NoContentYet()  # Litestar describes one success; CONFIRM_FIRST adds this one
        return Response(pending, status_code=202)
    user, token = result
    cookie = session_cookie(token, max_age_s=settings.session_absolute_s)
    return Response(SignedIn(user), status_code=201, cookies=[cookie])


@post("/auth/login", operation_id="logIn", status_code=200)
async def log_in(
    data: JSONBody[LogIn],
    request: AnyRequest,
    accounts: NamedDependency[Accounts],
    settings: NamedDependency[Settings],
) -> Response[SignedIn]:
    """Sign in. `"transport": "bearer"` answers the token in the body and sets no cookie."""
    user, token = await accounts.log_in(data, _client(request))
    if data.transport == "bearer":
        return Response(SignedIn(user, token), headers={"cache-control": "no-store"})
    cookie = session_cookie(token, max_age_s=settings.session_absolute_s)
    return Response(SignedIn(user), cookies=[cookie])


@post("/auth/logout", operation_id="logOut", status_code=204)
async def log_out(
    principal: NamedDependency[Principal], accounts: NamedDependency[Accounts]
) -> Response[None]:
    """End this session; its sockets close."""
    await accounts.log_out(principal)
    return Response(None, status_code=204, cookies=[expired_cookie()])


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


@get("/users/me", operation_id="getMe")
async def get_me(
    principal: NamedDependency[Principal], request: AnyRequest, accounts: NamedDependency[Accounts]
) -> Response[User]:
    """One's own account."""
    user = await accounts.me(principal)
    return conditional(request.scope, user, user.version)


@put("/users/me", operation_id="updateMe")
async def update_me(
    data: JSONBody[UpdateMe],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    accounts: NamedDependency[Accounts],
) -> Response[User]:
    """Change one's own profile."""
    user = await accounts.update_me(principal, data, if_match(request.scope))
    return versioned(user, user.version)


@get("/users", operation_id="listUsers")
async def list_users(
    principal: NamedDependency[Principal],
    accounts: NamedDependency[Accounts],
    q: OptionalText = None,
    role: FromQuery[Role | None] = None,
    status: FromQuery[Literal["active", "deactivated"] | None] = None,
    sort: OptionalText = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: OptionalCursor = None,
) -> Page[User]:
    """Accounts, for admins."""
    page = PageRequest(sort, limit, cursor)
    return await accounts.list_users(principal, q=q, role=role, status=status, page=page)


@get("/users/{user_id:int}", operation_id="getUser")
async def get_user(
    user_id: PathId,
    principal: NamedDependency[Principal],
    request: AnyRequest,
    accounts: NamedDependency[Accounts],
) -> Response[User]:
    """One account, for admins."""
    user = await accounts.user_by_id(principal, user_id)
    return conditional(request.scope, user, user.version)


@put("/users/{user_id:int}/role", operation_id="setUserRole")
async def set_role(
    user_id: PathId,
    data: JSONBody[SetRole],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    accounts: NamedDependency[Accounts],
) -> Response[User]:
    """Promote or demote, for admins."""
    version = if_match(request.scope)
    user = await accounts.set_role(principal, user_id, data.role, version)
    return versioned(user, user.version)


@post("/users/{user_id:int}/deactivate", operation_id="deactivateUser", status_code=200)
async def deactivate(
    user_id: PathId,
    data: JSONBody[Deactivate],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    accounts: NamedDependency[Accounts],
) -> Response[User]:
    """Close an account, for admins; its sessions and sockets end at once."""
    version = if_match(request.scope)
    user = await accounts.deactivate(principal, user_id, data.reason, version)
    return versioned(user, user.version)


@post("/users/{user_id:int}/reactivate", operation_id="reactivateUser", status_code=200)
async def reactivate(
    user_id: PathId,
    principal: NamedDependency[Principal],
    request: AnyRequest,
    accounts: NamedDependency[Accounts],
) -> Response[User]:
    """Open a closed account again, for admins."""
    version = if_match(request.scope)
    user = await accounts.reactivate(principal, user_id, version)
    return versioned(user, user.version)


def _client(request: AnyRequest) -> Client:
    address = request.client.host if request.client else ""
    return Client(request.headers.get("user-agent", ""), address)


routes = [
    sign_up,
    log_in,
    log_out,
    realtime_token,
    get_me,
    update_me,
    list_users,
    get_user,
    set_role,
    deactivate,
    reactivate,
]
