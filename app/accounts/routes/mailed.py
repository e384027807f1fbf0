"""REST of the doors that mail opens: ask for a link, use it."""

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.accounts.routes.answers import AnyRequest, client_of, signed_in_as
from app.accounts.schemas import (
    AddressConfirmed,
    AskForMail,
    ChangeEmail,
    NoContentYet,
    ResetPassword,
    SignedIn,
    SignInByMail,
    UseMailedLink,
)
from app.accounts.service import Letterbox, MailedLinks
from app.http.sessions import SIGN_UP_COOKIE, cookie_token
from app.kit.principal import Principal
from app.settings import Settings


@post("/auth/verify-email/send", operation_id="sendVerification", status_code=202)
async def send_verification(
    data: JSONBody[AskForMail], request: AnyRequest, letterbox: NamedDependency[Letterbox]
) -> NoContentYet:
    """Mail the link that confirms an address once more. Alike for every address."""
    await letterbox.ask("verify", data.email, client_of(request))
    return NoContentYet()


@post("/auth/verify-email", operation_id="verifyEmail", status_code=200)
async def verify_email(
    data: JSONBody[UseMailedLink],
    request: AnyRequest,
    viewer: NamedDependency[Principal | None],
    mailed_links: NamedDependency[MailedLinks],
) -> AddressConfirmed:
    """Use the link of a mail about an address: it confirms it, changes it, or undoes a change.
    It signs nobody in. A new account's address is confirmed by the browser that signed up or with
    the password of the sign-up; `resetPassword` takes the link as well and sets another. A change
    is confirmed in a session of the account, or with its password."""
    mark = cookie_token(request.scope, SIGN_UP_COOKIE)
    return await mailed_links.confirm(data, viewer, mark, client_of(request))


@post("/auth/password-reset/send", operation_id="sendPasswordReset", status_code=202)
async def send_password_reset(
    data: JSONBody[AskForMail], request: AnyRequest, letterbox: NamedDependency[Letterbox]
) -> NoContentYet:
    """Mail a link to set a new password. Alike for every address."""
    await letterbox.ask("reset", data.email, client_of(request))
    return NoContentYet()


@post("/auth/password-reset", operation_id="resetPassword", status_code=204)
async def reset_password(
    data: JSONBody[ResetPassword], request: AnyRequest, mailed_links: NamedDependency[MailedLinks]
) -> None:
    """Set a new password by a mailed link. All sessions and their sockets end; sign in then, with
    the second factor if there is one."""
    await mailed_links.reset_password(data, client_of(request))


@post("/auth/magic-link/send", operation_id="sendSignInLink", status_code=202)
async def send_sign_in_link(
    data: JSONBody[AskForMail], request: AnyRequest, letterbox: NamedDependency[Letterbox]
) -> NoContentYet:
    """Mail a link to sign in. Alike for every address; it makes no account."""
    await letterbox.ask("sign-in", data.email, client_of(request))
    return NoContentYet()


@post("/auth/magic-link", operation_id="signInByMail", status_code=200)
async def sign_in_by_mail(
    data: JSONBody[SignInByMail],
    request: AnyRequest,
    mailed_links: NamedDependency[MailedLinks],
    settings: NamedDependency[Settings],
) -> Response[SignedIn]:
    """Sign in by a mailed link. `"transport": "bearer"` answers the token in the body."""
    admission = await mailed_links.sign_in(data.token, client_of(request))
    return signed_in_as(admission, settings, is_bearer=data.transport == "bearer")


@post("/users/me/email", operation_id="changeEmail", status_code=202)
async def change_email(
    data: JSONBody[ChangeEmail],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    mailed_links: NamedDependency[MailedLinks],
) -> NoContentYet:
    """Ask for another address. It counts once the link in its mailbox was used; the present
    address is told. Alike whether or not the new address has an account."""
    await mailed_links.change_email(principal, data, client_of(request))
    return NoContentYet()


routes = [
    send_verification,
    verify_email,
    send_password_reset,
    reset_password,
    send_sign_in_link,
    sign_in_by_mail,
    change_email,
]
