"""What several routes of accounts read and answer alike."""

from typing import Any

from litestar import Request, Response

from app.accounts.schemas import Admission, Client, SignedIn
from app.http.sessions import session_cookie
from app.kit.language import preferred
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


def client_of(request: AnyRequest) -> Client:
    """Where the request comes from and in which language it reads, as far as it tells."""
    headers = request.headers
    address = request.client.host if request.client else ""
    language = preferred(headers.get("accept-language", ""))
    return Client(headers.get("user-agent", ""), address, language)
