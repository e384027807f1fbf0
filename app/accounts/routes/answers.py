"""What several routes of accounts read and answer alike."""

from typing import Any
from urllib.parse import urlencode, urlsplit

from litestar import Request, Response

from app.accounts.schemas import Admission, Arrival, Client, FactorAdded, SecondStep, SignedIn
from app.http.origins import header, own_origins
from app.http.sessions import session_cookie
from app.infra.passkeys import RelyingParty
from app.kit.language import preferred
from app.settings import Settings

AnyRequest = Request[Any, Any, Any]
NO_STORE = {"cache-control": "no-store"}
"""Such an answer is kept by no cache, and under no Idempotency-Key."""


def signed_in_as(
    admission: Admission, settings: Settings, *, is_bearer: bool, status: int = 200
) -> Response[SignedIn]:
    """The session for this client, in a cookie or for a bearer client in the body; or what its
    second step is, and then nothing of the person."""
    if admission.token is None:
        body = SignedIn(second_factor=admission.second_factor)
        return Response(body, status_code=status, headers=NO_STORE)
    if is_bearer:
        body = SignedIn(admission.user, admission.token)
        return Response(body, status_code=status, headers=NO_STORE)
    cookie = session_cookie(admission.token, max_age_s=settings.session_absolute_s)
    return Response(SignedIn(admission.user), status_code=status, cookies=[cookie])


def factor_added(
    added: FactorAdded, settings: Settings, *, is_bearer: bool, status: int = 200
) -> Response[FactorAdded]:
    """The new factor with this session's new token, which a browser finds in its cookie alone."""
    if is_bearer or added.token is None:
        return Response(added, status_code=status, headers=NO_STORE)
    cookie = session_cookie(added.token, max_age_s=settings.session_absolute_s)
    body = FactorAdded(added.recovery_codes, None, added.passkey)
    return Response(body, status_code=status, headers=NO_STORE, cookies=[cookie])


def entering(arrival: Arrival, settings: Settings) -> Response[None]:
    """The browser goes on to a page of ours, with the session of whoever came in by it.

    The address that it came from held a code: no store keeps it, and no page is told of it.
    """
    path, cookies = arrival.path, []
    if arrival.admission is not None:
        if arrival.admission.token is not None:
            token = arrival.admission.token
            cookies = [session_cookie(token, max_age_s=settings.session_absolute_s)]
        elif arrival.admission.second_factor is not None:
            path = _to_second_step(arrival.path, arrival.admission.second_factor)
    headers = {"location": path, "referrer-policy": "no-referrer"}
    return Response(None, status_code=303, headers={**NO_STORE, **headers}, cookies=cookies)


def _to_second_step(next_path: str, step: SecondStep) -> str:
    """The login page with the step in the fragment, which neither logs nor other sites see."""
    said = {"second-step": step.token, "methods": ",".join(step.methods)}
    return f"/login?{urlencode({'next': next_path})}#{urlencode(said)}"


def client_of(request: AnyRequest) -> Client:
    """Where the request comes from and in which language it reads, as far as it tells."""
    headers = request.headers
    address = request.client.host if request.client else ""
    language = preferred(headers.get("accept-language", ""))
    return Client(headers.get("user-agent", ""), address, language)


def party_of(request: AnyRequest, settings: Settings) -> RelyingParty:
    """We as authenticators know us: the setting's domain, or the host of the page that asks."""
    origins = tuple(own_origins(request.scope, settings.public_origins))
    asking = header(request.scope, b"origin")
    page = asking if asking in origins else origins[0]
    return RelyingParty(settings.passkey_rp_id or urlsplit(page).hostname or "", origins)
