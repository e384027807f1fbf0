"""REST of the second step of a sign-in, and of a fresh proof."""

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.accounts.routes.answers import NO_STORE, AnyRequest, client_of, party_of, signed_in_as
from app.accounts.schemas import (
    Confirm,
    GiveSecondFactor,
    PasskeyOptions,
    SecondStepToken,
    SignedIn,
)
from app.accounts.service import TwoStep
from app.http.sessions import bearer_token
from app.kit.principal import Principal
from app.settings import Settings


@post("/auth/second-factor", operation_id="giveSecondFactor", status_code=200)
async def give_second_factor(
    data: JSONBody[GiveSecondFactor],
    request: AnyRequest,
    two_step: NamedDependency[TwoStep],
    settings: NamedDependency[Settings],
) -> Response[SignedIn]:
    """The second step of a sign-in that answered `second_factor`."""
    admission = await two_step.give_second_factor(
        data, party_of(request, settings), client_of(request)
    )
    return signed_in_as(admission, settings, is_bearer=data.transport == "bearer")


@post("/auth/second-factor/passkey", operation_id="startPasskeySecondFactor", status_code=200)
async def start_passkey_second_factor(
    data: JSONBody[SecondStepToken],
    request: AnyRequest,
    two_step: NamedDependency[TwoStep],
    settings: NamedDependency[Settings],
) -> Response[PasskeyOptions]:
    """What a passkey signs as the second step."""
    options = await two_step.passkey_for_step(
        data.token, party_of(request, settings), client_of(request)
    )
    return Response(options, headers=NO_STORE)


@post("/auth/confirm", operation_id="confirmIdentity", status_code=200)
async def confirm(
    data: JSONBody[Confirm],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    two_step: NamedDependency[TwoStep],
    settings: NamedDependency[Settings],
) -> Response[SignedIn]:
    """Prove once more who one is: dangerous acts are open for some minutes. The session goes on
    under a new token: a cookie, or for a bearer client the token in the body."""
    admission = await two_step.confirm(
        principal, data, party_of(request, settings), client_of(request)
    )
    return signed_in_as(admission, settings, is_bearer=bearer_token(request.scope) is not None)


@post("/auth/confirm/passkey", operation_id="startPasskeyConfirmation", status_code=200)
async def start_passkey_confirmation(
    principal: NamedDependency[Principal],
    request: AnyRequest,
    two_step: NamedDependency[TwoStep],
    settings: NamedDependency[Settings],
) -> Response[PasskeyOptions]:
    """What a passkey signs as a fresh proof."""
    options = await two_step.passkey_for_confirm(principal, party_of(request, settings))
    return Response(options, headers=NO_STORE)


routes = [
    give_second_factor,
    start_passkey_second_factor,
    confirm,
    start_passkey_confirmation,
]
