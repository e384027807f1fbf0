"""API keys, sessions that an admin opened in somebody's name, and what admins search for."""

from app.infra.migrations import SqlMigration

ID = "0011"
VERSION = "1.38.0"
DESCRIPTION = "api keys, impersonation, last sign-in, search in the audit log"

FORWARDS = """
CREATE TABLE api_keys (
    id text PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (name <> ''),
    hint text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL CHECK (scopes <> '{}'),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_keys_user ON api_keys (user_id, id);

-- An admin's session in another person's name ends with the session that opened it.
ALTER TABLE sessions ADD COLUMN opened_by text REFERENCES sessions (id) ON DELETE CASCADE;
ALTER TABLE sessions ADD COLUMN ends_by timestamptz;
ALTER TABLE sessions ADD CONSTRAINT sessions_opened_by_an_admin
    CHECK ((impersonator_id IS NULL) = (opened_by IS NULL));
CREATE INDEX sessions_opened_by ON sessions (opened_by) WHERE opened_by IS NOT NULL;

ALTER TABLE users ADD COLUMN last_sign_in_at timestamptz;
CREATE INDEX users_last_sign_in ON users (coalesce(last_sign_in_at, 'epoch'), id);

CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_impersonator ON audit_log (impersonator_id, id)
    WHERE impersonator_id IS NOT NULL;
CREATE INDEX audit_log_search ON audit_log
    USING gin ((action || ' ' || target_type || ' ' || target_id || ' ' || detail::text)
        gin_trgm_ops);
"""

BACKWARDS = """
DROP INDEX audit_log_search;
DROP INDEX audit_log_impersonator;
DROP INDEX audit_log_at;
ALTER TABLE users DROP COLUMN last_sign_in_at;
DELETE FROM sessions WHERE opened_by IS NOT NULL;
ALTER TABLE sessions DROP COLUMN ends_by;
ALTER TABLE sessions DROP COLUMN opened_by;
DROP TABLE api_keys;
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
