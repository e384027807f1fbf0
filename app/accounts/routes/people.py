"""REST of accounts: one's own, and all of them for admins."""

from typing import Literal

from litestar import Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from app.accounts.routes.answers import AnyRequest
from app.accounts.schemas import (
    Deactivate,
    ManagedUser,
    SessionsEnded,
    SetRole,
    UpdateMe,
    User,
    UserQuery,
)
from app.accounts.service import Accounts, UserAdmin
from app.http.etag import conditional, if_match, versioned
from app.http.params import Limit, OptionalCursor, OptionalText, PathId
from app.infra.listing import PageRequest
from app.kit.paging import DEFAULT_PAGE, Page
from app.kit.principal import Principal, Role


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
    verified: FromQuery[bool | None] = None,
    second_factor: FromQuery[bool | None] = None,
    sort: OptionalText = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: OptionalCursor = None,
) -> Page[ManagedUser]:
    """Accounts, for admins."""
    wanted = UserQuery(q, role, status, verified, second_factor)
    return await user_admin.list_users(principal, wanted, PageRequest(sort, limit, cursor))


@get("/users/{user_id:int}", operation_id="getUser")
async def get_user(
    user_id: PathId,
    principal: NamedDependency[Principal],
    user_admin: NamedDependency[UserAdmin],
) -> Response[ManagedUser]:
    """One account, for admins."""
    user = await user_admin.user_by_id(principal, user_id)
    return versioned(user, user.version)


@put("/users/{user_id:int}/role", operation_id="setUserRole")
async def set_role(
    user_id: PathId,
    data: JSONBody[SetRole],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    user_admin: NamedDependency[UserAdmin],
) -> Response[ManagedUser]:
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
) -> Response[ManagedUser]:
    """Close an account, for admins, for ever or until a time; its sessions, sockets and API keys
    end at once."""
    version = if_match(request.scope)
    user = await user_admin.deactivate(principal, user_id, data.reason, data.until, version)
    return versioned(user, user.version)


@post("/users/{user_id:int}/reactivate", operation_id="reactivateUser", status_code=200)
async def reactivate(
    user_id: PathId,
    principal: NamedDependency[Principal],
    request: AnyRequest,
    user_admin: NamedDependency[UserAdmin],
) -> Response[ManagedUser]:
    """Open a closed account again, for admins."""
    version = if_match(request.scope)
    user = await user_admin.reactivate(principal, user_id, version)
    return versioned(user, user.version)


@post("/users/{user_id:int}/verify", operation_id="verifyUser", status_code=200)
async def verify(
    user_id: PathId,
    principal: NamedDependency[Principal],
    request: AnyRequest,
    user_admin: NamedDependency[UserAdmin],
) -> Response[ManagedUser]:
    """Mark an address as confirmed, for admins."""
    version = if_match(request.scope)
    user = await user_admin.verify(principal, user_id, version)
    return versioned(user, user.version)


@post("/users/{user_id:int}/sign-out", operation_id="signOutUser", status_code=200)
async def sign_out(
    user_id: PathId,
    principal: NamedDependency[Principal],
    user_admin: NamedDependency[UserAdmin],
) -> SessionsEnded:
    """End every session of a person, for admins; their sockets close."""
    return SessionsEnded(await user_admin.sign_out(principal, user_id))


routes = [
    get_me,
    update_me,
    list_users,
    get_user,
    set_role,
    deactivate,
    reactivate,
    verify,
    sign_out,
]
