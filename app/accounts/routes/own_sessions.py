"""REST of one's own sign-ins."""

from litestar import Response, delete, get, post
from litestar.di import NamedDependency

from app.accounts.schemas import SessionsEnded, SessionView, Visitor
from app.accounts.service import Accounts, Sessions
from app.http.params import Limit, OptionalCursor, PathWord
from app.http.sessions import expired_cookie
from app.kit.paging import DEFAULT_PAGE, Page
from app.kit.principal import Principal


@get("/auth/session", operation_id="getSession")
async def get_session(
    viewer: NamedDependency[Principal | None], accounts: NamedDependency[Accounts]
) -> Response[Visitor]:
    """Who is asking, if anybody: a page's first question, which is no fault when it is nobody."""
    visitor = Visitor(None)
    if viewer:
        user = await accounts.me(viewer)
        visitor = Visitor(user, viewer.impersonator_id, viewer.owes_second_factor)
    return Response(visitor, headers={"cache-control": "no-store"})


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


routes = [get_session, list_sessions, end_session, end_other_sessions, end_all_sessions]
