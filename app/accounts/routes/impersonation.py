"""REST of an admin in somebody's name."""

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.accounts.routes.answers import NO_STORE, AnyRequest, client_of
from app.accounts.schemas import Impersonate, SignedIn
from app.accounts.service import Impersonation
from app.http.params import PathId
from app.http.reach import for_impersonators
from app.http.sessions import (
    OWN_COOKIE,
    bearer_token,
    cookie_token,
    expired_cookie,
    keep_session,
    session_cookie,
)
from app.kit.principal import Principal
from app.settings import Settings


@post("/users/{user_id:int}/impersonate", operation_id="impersonateUser", status_code=200)
async def impersonate(
    user_id: PathId,
    data: JSONBody[Impersonate],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    impersonation: NamedDependency[Impersonation],
    settings: NamedDependency[Settings],
) -> Response[SignedIn]:
    """Enter in somebody's name, for admins; the person is told. A browser gets another cookie and
    keeps its own beside it; a bearer client gets a token beside its own."""
    user, token = await impersonation.begin(principal, user_id, data.reason, client_of(request))
    own = cookie_token(request.scope)
    if bearer_token(request.scope) is not None or own is None:
        return Response(SignedIn(user, token), headers=NO_STORE)
    keep_session(request.scope)
    lasts_s = settings.impersonation_s
    cookies = [
        session_cookie(token, max_age_s=lasts_s),
        session_cookie(own, max_age_s=lasts_s, name=OWN_COOKIE),
    ]
    return Response(SignedIn(user), cookies=cookies, headers=NO_STORE)


@post(
    "/auth/impersonation/end",
    operation_id="endImpersonation",
    status_code=200,
    opt=for_impersonators(),
)
async def end_impersonation(
    principal: NamedDependency[Principal],
    request: AnyRequest,
    impersonation: NamedDependency[Impersonation],
    settings: NamedDependency[Settings],
) -> Response[SignedIn]:
    """Return to one's own account; the session in the other's name ends with its sockets."""
    is_bearer = bearer_token(request.scope) is not None
    own = None if is_bearer else cookie_token(request.scope, OWN_COOKIE)
    user, token = await impersonation.end(principal, own)
    if is_bearer:
        return Response(SignedIn(user), headers=NO_STORE)
    back = (
        session_cookie(token, max_age_s=settings.session_absolute_s) if token else expired_cookie()
    )
    cookies = [back, expired_cookie(OWN_COOKIE)]
    return Response(SignedIn(user), cookies=cookies, headers=NO_STORE)


routes = [impersonate, end_impersonation]
