"""Exports of one's own data, and accounts that were erased."""

from app.infra.migrations import SqlMigration

ID = "0012"
VERSION = "1.38.0"
DESCRIPTION = "exports of personal data, erased accounts"

FORWARDS = """
-- One for each person: asking again replaces the one before.
CREATE TABLE exports (
    user_id integer PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    id text NOT NULL UNIQUE,
    status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'ready')),
    size integer CHECK (size > 0),
    requested_at timestamptz NOT NULL DEFAULT now(),
    ready_at timestamptz,
    expires_at timestamptz NOT NULL,
    CHECK ((status = 'ready') = (size IS NOT NULL) AND (size IS NULL) = (ready_at IS NULL))
);
CREATE INDEX exports_expires_at ON exports (expires_at);

-- What stays of an erased account is its number: decisions and the audit log name it.
ALTER TABLE users ADD COLUMN erased_at timestamptz;
ALTER TABLE users ADD CONSTRAINT users_erased CHECK (
    erased_at IS NULL
    OR (deactivated_at IS NOT NULL AND deactivated_until IS NULL AND password_hash IS NULL
        AND name IS NULL AND role = 'user')
);
"""

BACKWARDS = """
ALTER TABLE users DROP CONSTRAINT users_erased;
ALTER TABLE users DROP COLUMN erased_at;
DROP TABLE exports;
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
