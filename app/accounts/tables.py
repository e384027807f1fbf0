"""People, their sessions and factors as piccolo tables; the constraints stand in the migrations.

piccolo knows no primary key of two columns: there the first column carries the mark.
"""

from piccolo.columns import (
    Array,
    BigInt,
    Boolean,
    Bytea,
    ForeignKey,
    Integer,
    Serial,
    Text,
    Timestamptz,
)
from piccolo.table import Table


class User(Table, tablename="users"):
    """An account. `email` is lower case; a deactivated account keeps its row."""

    id = Serial(primary_key=True)
    email = Text(unique=True)
    password_hash = Text(secret=True, null=True, default=None)
    name = Text(null=True)
    role = Text(default="user")
    created_at = Timestamptz()
    updated_at = Timestamptz()
    email_verified_at = Timestamptz(null=True, default=None)
    deactivated_at = Timestamptz(null=True, default=None)
    deactivated_reason = Text(null=True, default=None)
    deactivated_until = Timestamptz(null=True, default=None)
    last_sign_in_at = Timestamptz(null=True, default=None)

    language = Text(default="en")
    version = Integer(default=1)
    erased_at = Timestamptz(null=True, default=None)


class Identity(Table, tablename="identities"):
    """An account at another provider that lets its owner in; unique by provider and subject."""

    id = Text(primary_key=True)
    user_id = ForeignKey(references=User, null=False)
    provider = Text()
    subject = Text()
    email = Text(null=True, default=None)
    created_at = Timestamptz()
    last_used_at = Timestamptz()


class FederationState(Table, tablename="federation_states"):
    """A browser that is on its way to a provider and back; `user_id` when it is to be linked."""

    state_hash = Bytea(primary_key=True)
    browser_hash = Bytea()
    provider = Text()
    nonce = Text(secret=True)
    verifier = Text(secret=True)
    redirect_uri = Text()
    next_path = Text()
    user_id = ForeignKey(references=User, null=True, default=None)
    session_id = Text(null=True, default=None)
    expires_at = Timestamptz()


class Session(Table, tablename="sessions"):
    """A sign-in on one device. Only the SHA-256 of its token is kept."""

    id = Text(primary_key=True)
    token_hash = Bytea(unique=True, secret=True)
    user_id = ForeignKey(references=User, null=False)
    created_at = Timestamptz()
    last_seen_at = Timestamptz()
    user_agent = Text()
    address = Text()
    authenticated_at = Timestamptz()
    methods = Array(base_column=Text())
    impersonator_id = ForeignKey(references=User, null=True, default=None)
    opened_by: "ForeignKey[Session]" = ForeignKey(references="self", null=True, default=None)
    ends_by = Timestamptz(null=True, default=None)


class ApiKey(Table, tablename="api_keys"):
    """A program's way in, as its owner and no further than its scopes; only a hash is kept."""

    id = Text(primary_key=True)
    user_id = ForeignKey(references=User, null=False)
    name = Text()
    hint = Text()
    token_hash = Bytea(unique=True, secret=True)
    scopes = Array(base_column=Text())
    created_at = Timestamptz()
    expires_at = Timestamptz(null=True, default=None)
    last_used_at = Timestamptz(null=True, default=None)


class MailToken(Table, tablename="mail_tokens"):
    """A link that was mailed: only its SHA-256 is kept, one of a kind for each person."""

    token_hash = Bytea(primary_key=True, secret=True)
    purpose = Text()
    user_id = ForeignKey(references=User, null=False)
    email = Text()
    created_at = Timestamptz()
    expires_at = Timestamptz()


class TotpSecret(Table, tablename="totp_secrets"):
    """An authenticator app (RFC 6238); it counts once `enabled_at` is set."""

    user_id = ForeignKey(references=User, primary_key=True, null=False)
    secret = Bytea(secret=True)
    created_at = Timestamptz()
    enabled_at = Timestamptz(null=True, default=None)
    last_step = BigInt(default=0)


class RecoveryCode(Table, tablename="recovery_codes"):
    """A code that was not used yet; only its SHA-256 is kept."""

    user_id = ForeignKey(references=User, primary_key=True, null=False)
    code_hash = Bytea(secret=True)


class Passkey(Table, tablename="passkeys"):
    """A WebAuthn credential."""

    id = Text(primary_key=True)
    user_id = ForeignKey(references=User, null=False)
    user_handle = Bytea()
    credential_id = Bytea(unique=True)
    public_key = Bytea()
    sign_count = BigInt()
    transports = Array(base_column=Text())
    is_synced = Boolean()
    name = Text()
    created_at = Timestamptz()
    last_used_at = Timestamptz(null=True, default=None)


class PasskeyChallenge(Table, tablename="passkey_challenges"):
    """What an authenticator was asked to sign; taken away by the answer."""

    challenge_hash = Bytea(primary_key=True)
    purpose = Text()
    user_id = ForeignKey(references=User, null=True, default=None)
    user_handle = Bytea(null=True, default=None)
    expires_at = Timestamptz()


class SecondStep(Table, tablename="second_steps"):
    """A sign-in whose first proof was right and which waits for the second."""

    token_hash = Bytea(primary_key=True, secret=True)
    user_id = ForeignKey(references=User, null=False)
    methods = Array(base_column=Text())
    wrong_tries = Integer(default=0)
    expires_at = Timestamptz()


class Export(Table, tablename="exports"):
    """A person's newest archive of their own data; the file stands in the store under its id."""

    user_id = ForeignKey(references=User, primary_key=True, null=False)
    id = Text(unique=True)
    status = Text(default="waiting")
    size = Integer(null=True, default=None)
    requested_at = Timestamptz()
    ready_at = Timestamptz(null=True, default=None)
    expires_at = Timestamptz()
