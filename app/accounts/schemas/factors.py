"""Second factors: how an identity is proved beyond the first proof, and what can go wrong."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from app.accounts.schemas.people import User
from app.kit.errors import Conflict, Forbidden, Unauthorized
from app.kit.text import Line

Factor = Literal["totp", "recovery", "passkey"]
Proof = Literal["password", "totp", "recovery", "passkey"]
Transport = Literal["cookie", "bearer"]
Code = Annotated[str, Meta(max_length=64, examples=["123456"])]
"""Six digits of an authenticator app, or a recovery code."""

Credential = Annotated[
    dict[str, Any], Meta(description="`PublicKeyCredential.toJSON()` (WebAuthn level 3, 5.1.9)")
]


class SecondStep(Struct, frozen=True):
    """The first proof was right; `token` with one of `methods` is the second step of the sign-in.

    It is good for `expires_in` seconds and one sign-in.
    """

    token: str
    methods: list[Factor]
    expires_in: int


class SignedIn(Struct, frozen=True, omit_defaults=True):
    """The answer to a sign-in: the account, and the token for a bearer client.

    Without `user` nobody is signed in yet: `second_factor` says how to go on.
    """

    user: User | None = None
    token: str | None = None
    second_factor: SecondStep | None = None


class Admission(Struct, frozen=True):
    """Somebody came in with the token of their new session, or must first take a second step."""

    user: User
    token: str | None = None
    second_factor: SecondStep | None = None


class GiveSecondFactor(Struct, frozen=True, forbid_unknown_fields=True):
    """The second step: a code, or the signature of a passkey."""

    token: Annotated[str, Meta(max_length=128)]
    method: Factor
    code: Code | None = None
    credential: Credential | None = None
    transport: Transport = "cookie"


class SecondStepToken(Struct, frozen=True, forbid_unknown_fields=True):
    """The sign-in for whose second step a passkey shall sign."""

    token: Annotated[str, Meta(max_length=128)]


class Confirm(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is signed in proves once more who they are."""

    method: Proof
    password: Annotated[str, Meta(max_length=1024)] | None = None
    code: Code | None = None
    credential: Credential | None = None


class PasskeyView(Struct, frozen=True):
    """A passkey as its owner sees it; `is_synced`: its maker keeps copies on other devices."""

    id: str
    name: str
    is_synced: bool
    created_at: datetime
    last_used_at: datetime | None


class Factors(Struct, frozen=True):
    """How one's own sign-in is secured.

    `confirm_with` are the proofs that `/auth/confirm` takes; `is_required`: the role's rights rest
    until this session has given a second factor.
    """

    totp_enabled_at: datetime | None
    passkeys: list[PasskeyView]
    recovery_codes_left: int
    confirm_with: list[Proof]
    is_required: bool


class TotpStarted(Struct, frozen=True):
    """A new secret for an authenticator app; it counts after the first right code."""

    secret: str
    otpauth_uri: str
    qr_svg: str


class EnableTotp(Struct, frozen=True, forbid_unknown_fields=True):
    """A code that shows that the app has the secret."""

    code: Code


class FactorAdded(Struct, frozen=True, omit_defaults=True):
    """A factor counts from now on; this session has a new token, in the cookie or here.

    `recovery_codes` come with the first factor and are shown this once.
    """

    recovery_codes: list[str] = []
    token: str | None = None
    passkey: PasskeyView | None = None


class RecoveryCodes(Struct, frozen=True):
    """New codes, shown this once; the old ones are void."""

    recovery_codes: list[str]


class PasskeyOptions(Struct, frozen=True):
    """What `PublicKeyCredential.parse...OptionsFromJSON()` takes (WebAuthn level 3, 5.1.8)."""

    public_key: dict[str, Any]


class AddPasskey(Struct, frozen=True, forbid_unknown_fields=True):
    """A new passkey and the name that its owner gives it."""

    name: Line
    credential: Credential


class RenamePasskey(Struct, frozen=True, forbid_unknown_fields=True):
    """Another name for a passkey."""

    name: Line


class PasskeySignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Sign-in without a name and without a password."""

    credential: Credential
    transport: Transport = "cookie"


class FreshProofRequired(Forbidden):
    """This act asks for a fresh proof of identity: `POST /auth/confirm`, then once more."""

    code = "fresh-proof-required"
    title = "Confirm first that it is you"


class WrongCode(Forbidden):
    """The code is wrong, too old, or was used before."""

    code = "wrong-code"
    title = "This code is wrong or was used before"


class ProofNotAccepted(Forbidden):
    """Another proof is asked for: a password does not stand in for a second factor."""

    code = "proof-not-accepted"
    title = "Confirm with your second factor"


class PasskeyRefused(Forbidden):
    """The passkey is unknown, or its signature does not answer our challenge."""

    code = "passkey-refused"
    title = "This passkey was not accepted"


class SecondStepExpired(Unauthorized):
    """The sign-in waited too long for its second step, or took too many wrong ones."""

    code = "second-step-expired"
    title = "Sign in once more"


class TotpAlreadyEnabled(Conflict):
    """There is an authenticator app already."""

    code = "totp-already-enabled"
    title = "Remove the present authenticator app first"


class TotpNotStarted(Conflict):
    """There is no secret that a code could prove."""

    code = "totp-not-started"
    title = "Begin by asking for a new secret"


class NoSecondFactor(Conflict):
    """Recovery codes stand in for a factor; there is none."""

    code = "no-second-factor"
    title = "Set up two-step sign-in first"


class LastSecondFactor(Conflict):
    """The role of this person asks for a second factor, and this is the last."""

    code = "last-second-factor"
    title = "Your role needs two-step sign-in; add another factor first"


class TooManyPasskeys(Conflict):
    """The list of passkeys is full."""

    code = "too-many-passkeys"
    title = "Remove a passkey that you no longer use first"
