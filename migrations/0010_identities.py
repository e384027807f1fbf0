"""Who vouches for whom: accounts at other providers, and the journeys there and back."""

from app.infra.migrations import SqlMigration

ID = "0010"
VERSION = "1.38.0"
DESCRIPTION = "linked identities and the states of federated sign-ins"

FORWARDS = """
-- A person is known by provider and subject alone: addresses change hands.
CREATE TABLE identities (
    id text PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider text NOT NULL CHECK (provider <> ''),
    subject text NOT NULL CHECK (subject <> ''),
    email text,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (provider, subject)
);
CREATE INDEX identities_user ON identities (user_id);

-- One row for each browser that is on its way; taken out when it comes back. Whoever reads the
-- table can still use none of them: state and browser are hashed.
CREATE TABLE federation_states (
    state_hash bytea PRIMARY KEY,
    browser_hash bytea NOT NULL,
    provider text NOT NULL,
    nonce text NOT NULL,
    verifier text NOT NULL,
    redirect_uri text NOT NULL,
    next_path text NOT NULL CHECK (next_path ~ '^/([^/\\\\]|$)'),
    user_id integer REFERENCES users (id) ON DELETE CASCADE,
    session_id text,
    expires_at timestamptz NOT NULL,
    CHECK ((user_id IS NULL) = (session_id IS NULL))
);
CREATE INDEX federation_states_expires_at ON federation_states (expires_at);
CREATE INDEX federation_states_user ON federation_states (user_id) WHERE user_id IS NOT NULL;
"""

BACKWARDS = """
DROP TABLE federation_states;
DROP TABLE identities;
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
