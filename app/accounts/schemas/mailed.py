"""What goes in and out of the doors that mail opens."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from app.accounts.schemas.people import Email, NewPassword
from app.kit.errors import BadRequest, FieldError, Forbidden, InvalidInput
from app.kit.language import Language

MailedToken = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class Purpose(StrEnum):
    """What a mailed link is good for; the database holds the same words in a constraint."""

    VERIFY = "verify"
    RESET = "reset"
    SIGN_IN = "sign-in"
    CHANGE = "change"
    UNDO = "undo"


AskedFor = Literal["verify", "reset", "sign-in"]
"""What anybody may ask for by an address alone."""


class AskForMail(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose mailbox a link shall go to; only an account's own address gets one."""

    email: Email


class UseMailedLink(Struct, frozen=True, forbid_unknown_fields=True):
    """The token of a link, from the fragment of its address.

    `password` is the account's, for a browser that neither signed up nor is signed in to it.
    """

    token: MailedToken
    password: Annotated[str, Meta(max_length=1024)] | None = None


class ResetPassword(Struct, frozen=True, forbid_unknown_fields=True):
    """The token of a link, and the password that counts from now on."""

    token: MailedToken
    password: NewPassword


class SignInByMail(Struct, frozen=True, forbid_unknown_fields=True):
    """The token of a link; `bearer` answers the session's token and sets no cookie."""

    token: MailedToken
    transport: Literal["cookie", "bearer"] = "cookie"


class ChangeEmail(Struct, frozen=True, forbid_unknown_fields=True):
    """Another address for one's account; it counts once its mailbox has confirmed it."""

    email: Email


class KeptWay(Struct, frozen=True):
    """A way into an account that was there before it was moved away, and stays.

    `name` is what its owner called a passkey, or an account's provider.
    """

    kind: Literal["totp", "passkey", "identity"]
    name: str
    since: datetime


class AddressConfirmed(Struct, frozen=True):
    """What the link did: confirmed an address, changed it, or brought the former one back.

    `kept` is for the last: the mailbox alone does not go around them, but its owner looks whether
    they are all their own.
    """

    done: Literal["confirmed", "changed", "restored"]
    kept: list[KeptWay]


class Asked(Struct, frozen=True):
    """The job after a request for mail: looks whether there is anybody to write to.

    It is enqueued for every address alike, so the time of the answer tells nothing.
    """

    purpose: Literal["signup", "verify", "reset", "sign-in", "change"]
    email: str
    language: Language
    user_id: int | None = None
    """Whose new account it is, or who asks for another address."""
    session_id: str | None = None
    """In which session they ask; a request does not outlive it."""


class Newcomer(Struct, frozen=True):
    """The job after a sign-up where addresses are confirmed first: opens the account, unless there
    is one.

    It is enqueued for every address alike, like `Asked`. The number is allotted before anybody
    looks whether it will be used.
    """

    user_id: int
    email: str
    password_hash: str
    name: str | None
    language: Language


class PasswordNeeded(Forbidden):
    """The link is good, but this browser did not sign up: perhaps a stranger did, with the address
    of whoever reads the mail. Give the password of the sign-up, or set another with this link."""

    code = "password-needed"
    title = "Give the password that was chosen at the sign-up, or set a new one"


class OwnerNeeded(Forbidden):
    """The link is good, but this browser is not signed in to the account that is to move here:
    perhaps it is a stranger's. Sign in to it and use the link again, or give its password."""

    code = "owner-needed"
    title = "Sign in to the account that is to use this address, or give its password"


class LinkUnusable(BadRequest):
    """One answer for a link that was used, has expired, was replaced, or never existed."""

    code = "link-unusable"
    title = "This link was used, has expired, or was replaced by a newer one"


class DomainNotAscii(InvalidInput):
    """A new address whose domain is in letters of its own: it has a second spelling, in ASCII."""

    code = "domain-not-ascii"
    title = "Write the part behind the @ in its ASCII form, which begins with xn--"

    def __init__(self) -> None:
        super().__init__(errors=[FieldError("email", self.title)])


class DeceptiveAddress(InvalidInput):
    """A new address of an unknown form, or with letters of several scripts."""

    code = "deceptive-address"
    title = "This address mixes scripts or uses signs that addresses do not have"

    def __init__(self) -> None:
        super().__init__(errors=[FieldError("email", self.title)])
