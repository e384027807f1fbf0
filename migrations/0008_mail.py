"""Jobs that outlive a process, the proofs that travel by mail, and the language somebody reads."""

from app.infra.migrations import SqlMigration

ID = "0008"
VERSION = "1.38.0"
DESCRIPTION = "jobs, mail tokens, languages"

FORWARDS = """
CREATE TABLE jobs (
    id text PRIMARY KEY,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    run_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    fence integer NOT NULL DEFAULT 0,
    lease_owner text,
    lease_expires_at timestamptz,
    last_error text,
    dead_at timestamptz,
    CONSTRAINT jobs_lease CHECK ((lease_owner IS NULL) = (lease_expires_at IS NULL)),
    CONSTRAINT jobs_dead CHECK (dead_at IS NULL OR lease_owner IS NULL)
);
CREATE INDEX jobs_due ON jobs (run_at, id) WHERE dead_at IS NULL AND lease_owner IS NULL;
CREATE INDEX jobs_leases ON jobs (lease_expires_at) WHERE lease_owner IS NOT NULL;
CREATE INDEX jobs_dead_at ON jobs (dead_at) WHERE dead_at IS NOT NULL;

-- One link of a kind for each person: asking again replaces the one before.
CREATE TABLE mail_tokens (
    token_hash bytea PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('verify', 'reset', 'sign-in', 'change', 'undo')),
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT mail_tokens_one_of_a_kind UNIQUE (user_id, purpose)
);
CREATE INDEX mail_tokens_expires_at ON mail_tokens (expires_at);

ALTER TABLE users ADD COLUMN language text NOT NULL DEFAULT 'en'
    CHECK (language IN ('en', 'id'));
"""

BACKWARDS = """
ALTER TABLE users DROP COLUMN language;
DROP TABLE mail_tokens;
DROP TABLE jobs;
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
