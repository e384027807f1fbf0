"""REST of passkeys."""

from litestar import Response, delete, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.accounts.routes.answers import (
    NO_STORE,
    AnyRequest,
    client_of,
    factor_added,
    party_of,
    signed_in_as,
)
from app.accounts.schemas import (
    AddPasskey,
    FactorAdded,
    PasskeyOptions,
    PasskeySignIn,
    PasskeyView,
    RenamePasskey,
    SignedIn,
)
from app.accounts.service import Passkeys
from app.http.params import PathWord
from app.http.sessions import bearer_token
from app.kit.principal import Principal
from app.settings import Settings


@post("/auth/passkeys/registration", operation_id="startPasskeyRegistration", status_code=200)
async def start_registration(
    principal: NamedDependency[Principal],
    request: AnyRequest,
    passkeys: NamedDependency[Passkeys],
    settings: NamedDependency[Settings],
) -> Response[PasskeyOptions]:
    """What the browser makes a passkey from. Asks for a fresh proof."""
    options = await passkeys.start_registration(principal, party_of(request, settings))
    return Response(options, headers=NO_STORE)


@post("/auth/passkeys", operation_id="addPasskey", status_code=201)
async def add_passkey(
    data: JSONBody[AddPasskey],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    passkeys: NamedDependency[Passkeys],
    settings: NamedDependency[Settings],
) -> Response[FactorAdded]:
    """Keep the passkey that the browser made. `getFactors` lists them."""
    added = await passkeys.add(principal, data, party_of(request, settings))
    is_bearer = bearer_token(request.scope) is not None
    return factor_added(added, settings, is_bearer=is_bearer, status=201)


@put("/auth/passkeys/{passkey_id:str}", operation_id="renamePasskey")
async def rename_passkey(
    passkey_id: PathWord,
    data: JSONBody[RenamePasskey],
    principal: NamedDependency[Principal],
    passkeys: NamedDependency[Passkeys],
) -> PasskeyView:
    """Give one of one's own passkeys another name."""
    return await passkeys.rename(principal, passkey_id, data.name)


@delete("/auth/passkeys/{passkey_id:str}", operation_id="removePasskey")
async def remove_passkey(
    passkey_id: PathWord,
    principal: NamedDependency[Principal],
    passkeys: NamedDependency[Passkeys],
) -> None:
    """Remove one of one's own passkeys. Asks for a fresh proof."""
    await passkeys.remove(principal, passkey_id)


@post("/auth/passkeys/sign-in/options", operation_id="startPasskeySignIn", status_code=200)
async def start_sign_in(
    request: AnyRequest,
    passkeys: NamedDependency[Passkeys],
    settings: NamedDependency[Settings],
) -> Response[PasskeyOptions]:
    """What any passkey of this site may sign; nobody is named."""
    options = await passkeys.start_sign_in(party_of(request, settings), client_of(request))
    return Response(options, headers=NO_STORE)


@post("/auth/passkeys/sign-in", operation_id="signInWithPasskey", status_code=200)
async def sign_in(
    data: JSONBody[PasskeySignIn],
    request: AnyRequest,
    passkeys: NamedDependency[Passkeys],
    settings: NamedDependency[Settings],
) -> Response[SignedIn]:
    """Sign in with a passkey alone: it stands for both factors."""
    admission = await passkeys.sign_in(
        data.credential, party_of(request, settings), client_of(request)
    )
    return signed_in_as(admission, settings, is_bearer=data.transport == "bearer")


routes = [
    start_registration,
    add_passkey,
    rename_passkey,
    remove_passkey,
    start_sign_in,
    sign_in,
]
