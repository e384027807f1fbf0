"""REST of accounts: parse, call one verb, answer."""

from typing import Any, Literal

from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromQuery, JSONBody

from app.accounts.schemas import (
    ChangePassword,
    Client,
    Deactivate,
    LogIn,
    NoContentYet,
    RealtimeToken,
    SessionsEnded,
    SessionView,
    SetRole,
    SignedIn,
    SignUp,
    UpdateMe,
    User,
)
from app.accounts.service import Accounts, Sessions, UserAdmin
from app.http.etag import conditional, if_match, versioned
from app.http.params import Limit, OptionalCursor, OptionalText, PathId, PathWord
from app.http.sessions import bearer_token, expired_cookie, session_cookie
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
    return _signed_in(user, token, settings, is_bearer=data.transport == "bearer")


@post("/auth/logout", operation_id="logOut", status_code=204)
async def log_out(
    principal: NamedDependency[Principal], sessions: NamedDependency[Sessions]
) -> Response[None]:
    """End this session; its sockets close."""
    await sessions.end_own(principal)
    return Response(None, status_code=204, cookies=[expired_cookie()])


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
    user, token = await accounts.change_password(principal, data, _client(request))
    return _signed_in(user, token, settings, is_bearer=bearer_token(request.scope) is not None)


@get("/auth/sessions", operation_id="listSessions")
async def list_sessions(
    principal: NamedDependency[Principal],
    sessions: NamedDependency[Sessions],
    limit: Limit = DEFAULT_PAGE,
    cursor: OptionalCursor = None,
) -> Page[SessionView]:
    """Where one is signed in, the newest sign-in first."""
    return await sessions.list_sessions(principal, limit, cursor)


@delete("/auth/sessions/{session_id:str}", operation_id="endSession")
async def end_session(
    session_id: PathWord,
    principal: NamedDependency[Principal],
    sessions: NamedDependency[Sessions],
) -> Response[None]:
    """End one of one's own sessions; its sockets close."""
    await sessions.end_session(principal, session_id)
    is_own = session_id == principal.session_id
    return Response(None, status_code=204, cookies=[expired_cookie()] if is_own else [])


@post("/auth/sessions/revoke-others", operation_id="endOtherSessions", status_code=200)
async def end_other_sessions(
    principal: NamedDependency[Principal], sessions: NamedDependency[Sessions]
) -> SessionsEnded:
    """End all of one's sessions but this one; their sockets close."""
    return SessionsEnded(await sessions.end_others(principal))


@post("/auth/sessions/revoke-all", operation_id="endAllSessions", status_code=200)
async def end_all_sessions(
    principal: NamedDependency[Principal], sessions: NamedDependency[Sessions]
) -> Response[SessionsEnded]:
    """End all of one's sessions, this one as well; their sockets close."""
    ended = await sessions.end_all(principal)
    return Response(SessionsEnded(ended), cookies=[expired_cookie()])


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
    user_admin: NamedDependency[UserAdmin],
    q: OptionalText = None,
    role: FromQuery[Role | None] = None,
    status: FromQuery[Literal["active", "deactivated"] | None] = None,
    sort: OptionalText = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: OptionalCursor = None,
) -> Page[User]:
    """Accounts, for admins."""
    page = PageRequest(sort, limit, cursor)
    return await user_admin.list_users(principal, q=q, role=role, status=status, page=page)


@get("/users/{user_id:int}", operation_id="getUser")
async def get_user(
    user_id: PathId,
    principal: NamedDependency[Principal],
    request: AnyRequest,
    user_admin: NamedDependency[UserAdmin],
) -> Response[User]:
    """One account, for admins."""
    user = await user_admin.user_by_id(principal, user_id)
    return conditional(request.scope, user, user.version)


@put("/users/{user_id:int}/role", operation_id="setUserRole")
async def set_role(
    user_id: PathId,
    data: JSONBody[SetRole],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    user_admin: NamedDependency[UserAdmin],
) -> Response[User]:
    """Promote or demote, for admins. The person's sessions end: new rights, new sign-in."""
    version = if_match(request.scope)
    user = await user_admin.set_role(principal, user_id, data.role, version)
    return versioned(user, user.version)


@post("/users/{user_id:int}/deactivate", operation_id="deactivateUser", status_code=200)
async def deactivate(
    user_id: PathId,
    data: JSONBody[Deactivate],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    user_admin: NamedDependency[UserAdmin],
) -> Response[User]:
    """Close an account, for admins; its sessions and sockets end at once."""
    version = if_match(request.scope)
    user = await user_admin.deactivate(principal, user_id, data.reason, version)
    return versioned(user, user.version)


@post("/users/{user_id:int}/reactivate", operation_id="reactivateUser", status_code=200)
async def reactivate(
    user_id: PathId,
    principal: NamedDependency[Principal],
    request: AnyRequest,
    user_admin: NamedDependency[UserAdmin],
) -> Response[User]:
    """Open a closed account again, for admins."""
    version = if_match(request.scope)
    user = await user_admin.reactivate(principal, user_id, version)
    return versioned(user, user.version)


@post("/users/{user_id:int}/sign-out", operation_id="signOutUser", status_code=200)
async def sign_out(
    user_id: PathId,
    principal: NamedDependency[Principal],
    user_admin: NamedDependency[UserAdmin],
) -> SessionsEnded:
    """End every session of a person, for admins; their sockets close."""
    return SessionsEnded(await user_admin.sign_out(principal, user_id))


def _signed_in(
    user: User, token: str, settings: Settings, *, is_bearer: bool
) -> Response[SignedIn]:
    if is_bearer:
        return Response(SignedIn(user, token), headers={"cache-control": "no-store"})
    cookie = session_cookie(token, max_age_s=settings.session_absolute_s)
    return Response(SignedIn(user), cookies=[cookie])


def _client(request: AnyRequest) -> Client:
    address = request.client.host if request.client else ""
    return Client(request.headers.get("user-agent", ""), address)


routes = [
    sign_up,
    log_in,
    log_out,
    change_password,
    list_sessions,
    end_session,
    end_other_sessions,
    end_all_sessions,
    realtime_token,
    get_me,
    update_me,
    list_users,
    get_user,
    set_role,
    deactivate,
    reactivate,
    sign_out,
]
