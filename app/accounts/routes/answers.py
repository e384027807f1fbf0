"""What several routes of accounts read and answer alike."""

from typing import Any

from litestar import Request, Response

from app.accounts.schemas import Admission, Arrival, Client, SignedIn
from app.http.sessions import session_cookie
from app.settings import Settings

AnyRequest = Request[Any, Any, Any]


def signed_in_as(
    admission: Admission, settings: Settings, *, is_bearer: bool, status: int = 200
) -> Response[SignedIn]:
    """The session for this client: in a cookie, or for a bearer client in the body."""
    user, token = admission.user, admission.token
    if is_bearer:
        body = SignedIn(user, token)
        return Response(body, status_code=status, headers={"cache-control": "no-store"})
    cookie = session_cookie(token, max_age_s=settings.session_absolute_s)
    return Response(SignedIn(user), status_code=status, cookies=[cookie])


def entering(arrival: Arrival, settings: Settings) -> Response[None]:
    """The browser goes on to a page of ours, with the session of whoever came in by it.

    The address that it came from held a code: no store keeps it, and no page is told of it.
    """
    headers = {
        "location": arrival.path,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
    }
    cookies = []
    if arrival.admission is not None:
        token = arrival.admission.token
        cookies = [session_cookie(token, max_age_s=settings.session_absolute_s)]
    return Response(None, status_code=303, headers=headers, cookies=cookies)


def client_of(request: AnyRequest) -> Client:
    """Where the request comes from, as far as it tells."""
    address = request.client.host if request.client else ""
    return Client(request.headers.get("user-agent", ""), address)
