"""REST of signing in with another provider, and of the links to it."""

import secrets
from typing import Annotated, Any

from litestar import Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from app.accounts.routes.answers import AnyRequest, client_of, entering
from app.accounts.schemas import (
    Callback,
    Departure,
    IdentityView,
    ProviderView,
    StartSignIn,
)
from app.accounts.service import Federation, Identities
from app.http.origins import own_origin
from app.http.params import PathWord
from app.http.sessions import cookie_token
from app.kit.paging import Page
from app.kit.principal import Principal
from app.settings import Settings

BROWSER_COOKIE = "__Host-sicerdas-federation"
"""What binds a journey to the browser that began it. Lax: the way back is a navigation from the
provider's pages, where a strict cookie would stay at home."""
BROWSER_BYTES = 32
BROWSER_LENGTH = 43
"""32 bytes in base64url."""
LONG = Annotated[str | None, QueryParameter(max_length=4096)]


@get("/auth/providers", operation_id="listProviders", sync_to_thread=False)
def list_providers(federation: NamedDependency[Federation]) -> Page[ProviderView]:
    """The providers that one may sign in with; empty where none is configured."""
    return Page(federation.list_providers(), None)


@post("/auth/federated/{provider:str}/start", operation_id="startFederated", status_code=200)
async def start_federated(
    provider: PathWord,
    data: JSONBody[StartSignIn],
    request: AnyRequest,
    federation: NamedDependency[Federation],
    settings: NamedDependency[Settings],
) -> Response[Departure]:
    """Begin to sign in with a provider: send the browser to `url`. It comes back signed in at
    `next`, or at `/login?error=<code>`."""
    browser = _browser_of(request)
    origin = own_origin(request.scope, settings.public_origins)
    url = await federation.start_sign_in(provider, data.next, origin, browser, client_of(request))
    return _departing(url, browser, settings)


@post("/auth/identities/{provider:str}/link", operation_id="startLink", status_code=200)
async def start_link(
    provider: PathWord,
    principal: NamedDependency[Principal],
    request: AnyRequest,
    federation: NamedDependency[Federation],
    settings: NamedDependency[Settings],
) -> Response[Departure]:
    """Begin to link an account at a provider to one's own: send this session's browser to `url`.
    It comes back at `/account?linked=<provider>` or `/account?error=<code>`."""
    browser = _browser_of(request)
    origin = own_origin(request.scope, settings.public_origins)
    url = await federation.start_link(principal, provider, origin, browser, client_of(request))
    return _departing(url, browser, settings)


@get("/auth/federated/{provider:str}/callback", include_in_schema=False)
async def finish_federated(
    provider: PathWord,
    request: AnyRequest,
    federation: NamedDependency[Federation],
    settings: NamedDependency[Settings],
    viewer: NamedDependency[Principal | None],
    code: LONG = None,
    error: LONG = None,
    iss: LONG = None,
) -> Response[Any]:
    """Where providers send browsers back to; no call of any client's."""
    # `state` is a name that Litestar keeps for itself.
    said = Callback(request.query_params.get("state"), code, error, iss)
    browser = cookie_token(request.scope, BROWSER_COOKIE)
    arrival = await federation.finish(provider, said, browser, viewer, client_of(request))
    return entering(arrival, settings)


@get("/auth/identities", operation_id="listIdentities")
async def list_identities(
    principal: NamedDependency[Principal], identities: NamedDependency[Identities]
) -> Page[IdentityView]:
    """The accounts at other providers that let one in here."""
    return Page(await identities.list_identities(principal), None)


@delete("/auth/identities/{identity_id:str}", operation_id="unlinkIdentity")
async def unlink_identity(
    identity_id: PathWord,
    principal: NamedDependency[Principal],
    identities: NamedDependency[Identities],
) -> None:
    """Let an account at a provider in no more; never the last way in."""
    await identities.unlink(principal, identity_id)


def _browser_of(request: AnyRequest) -> str:
    """The browser's own secret: one for all its tabs, so that a second journey spoils no first."""
    known = cookie_token(request.scope, BROWSER_COOKIE) or ""
    return known if len(known) == BROWSER_LENGTH else secrets.token_urlsafe(BROWSER_BYTES)


def _departing(url: str, browser: str, settings: Settings) -> Response[Departure]:
    cookie = Cookie(
        key=BROWSER_COOKIE,
        value=browser,
        max_age=settings.federated_state_s,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    # The address holds the state: no store may keep it.
    headers = {"cache-control": "no-store"}
    return Response(Departure(url), cookies=[cookie], headers=headers)


routes = [
    list_providers,
    start_federated,
    start_link,
    finish_federated,
    list_identities,
    unlink_identity,
]
