"""Second factors: one-time codes, recovery codes, passkeys, and sign-ins that wait for one."""

from app.infra.migrations import SqlMigration

ID = "0009"
VERSION = "1.38.0"
DESCRIPTION = "second factors and the sign-ins that wait for one"

FORWARDS = """
-- The secret is encrypted by the application; `last_step` is the newest 30 s step that was used.
CREATE TABLE totp_secrets (
    user_id integer PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    enabled_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0
);

CREATE TABLE recovery_codes (
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE passkeys (
    id text PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_handle bytea NOT NULL,
    credential_id bytea NOT NULL UNIQUE,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL CHECK (sign_count >= 0),
    transports text[] NOT NULL DEFAULT '{}',
    is_synced boolean NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz
);
CREATE INDEX passkeys_user ON passkeys (user_id, id);

-- A row is taken away by the answer to its challenge, right or wrong.
CREATE TABLE passkey_challenges (
    challenge_hash bytea PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('register', 'sign-in', 'second-factor', 'confirm')),
    user_id integer REFERENCES users (id) ON DELETE CASCADE,
    user_handle bytea,
    expires_at timestamptz NOT NULL,
    CHECK ((user_id IS NULL) = (purpose = 'sign-in')),
    CHECK ((user_handle IS NOT NULL) = (purpose = 'register'))
);
CREATE INDEX passkey_challenges_user ON passkey_challenges (user_id);
CREATE INDEX passkey_challenges_end ON passkey_challenges (expires_at);

CREATE TABLE second_steps (
    token_hash bytea PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    methods text[] NOT NULL,
    wrong_tries integer NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL
);
CREATE INDEX second_steps_user ON second_steps (user_id);
CREATE INDEX second_steps_end ON second_steps (expires_at);
"""

BACKWARDS = """
DROP TABLE second_steps;
DROP TABLE passkey_challenges;
DROP TABLE passkeys;
DROP TABLE recovery_codes;
DROP TABLE totp_secrets;
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
