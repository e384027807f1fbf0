"""REST of one's own second factors, and of their reset by an admin."""

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.accounts.routes.answers import NO_STORE, AnyRequest, client_of, factor_added
from app.accounts.schemas import (
    EnableTotp,
    FactorAdded,
    Factors,
    RecoveryCodes,
    SessionsEnded,
    TotpStarted,
)
from app.accounts.service import FactorSettings
from app.http.params import PathId
from app.http.sessions import bearer_token
from app.kit.principal import Principal
from app.settings import Settings


@get("/auth/factors", operation_id="getFactors")
async def get_factors(
    principal: NamedDependency[Principal], factors: NamedDependency[FactorSettings]
) -> Factors:
    """How one's own sign-in is secured."""
    return await factors.overview(principal)


@post("/auth/totp", operation_id="startTotp", status_code=200)
async def start_totp(
    principal: NamedDependency[Principal], factors: NamedDependency[FactorSettings]
) -> Response[TotpStarted]:
    """A secret for an authenticator app; it counts after `enableTotp`. Asks for a fresh proof."""
    return Response(await factors.start_totp(principal), headers=NO_STORE)


@post("/auth/totp/enable", operation_id="enableTotp", status_code=200)
async def enable_totp(
    data: JSONBody[EnableTotp],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    factors: NamedDependency[FactorSettings],
    settings: NamedDependency[Settings],
) -> Response[FactorAdded]:
    """Show that the app has the secret: every later sign-in asks for a code."""
    added = await factors.enable_totp(principal, data.code, client_of(request))
    return factor_added(added, settings, is_bearer=bearer_token(request.scope) is not None)


@delete("/auth/totp", operation_id="disableTotp")
async def disable_totp(
    principal: NamedDependency[Principal], factors: NamedDependency[FactorSettings]
) -> None:
    """Remove the authenticator app. Asks for a fresh proof."""
    await factors.disable_totp(principal)


@post("/auth/recovery-codes", operation_id="renewRecoveryCodes", status_code=200)
async def renew_recovery_codes(
    principal: NamedDependency[Principal], factors: NamedDependency[FactorSettings]
) -> Response[RecoveryCodes]:
    """New recovery codes; the old ones are void. Asks for a fresh proof."""
    codes = await factors.renew_recovery_codes(principal)
    return Response(RecoveryCodes(codes), headers=NO_STORE)


@post("/users/{user_id:int}/factors/reset", operation_id="resetUserFactors", status_code=200)
async def reset_factors(
    user_id: PathId,
    principal: NamedDependency[Principal],
    factors: NamedDependency[FactorSettings],
) -> SessionsEnded:
    """Take all second factors from a person who lost them, for admins; their sessions end. Asks
    for a fresh proof."""
    return SessionsEnded(await factors.reset(principal, user_id))


routes = [
    get_factors,
    start_totp,
    enable_totp,
    disable_totp,
    renew_recovery_codes,
    reset_factors,
]
