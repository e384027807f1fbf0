"""How and when a session was proved, who stands behind it, and closures that end by themselves."""

from app.infra.migrations import SqlMigration

ID = "0007"
VERSION = "1.38.0"
DESCRIPTION = "methods and freshness of sessions, impersonation, closures with an end"

FORWARDS = """
-- Somebody who comes by another provider or by a passkey has no password.
ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL;
ALTER TABLE users ADD COLUMN deactivated_until timestamptz
    CHECK (deactivated_until IS NULL OR deactivated_at IS NOT NULL);

ALTER TABLE sessions ADD COLUMN authenticated_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE sessions ADD COLUMN methods text[] NOT NULL DEFAULT '{}';
ALTER TABLE sessions ADD COLUMN impersonator_id integer REFERENCES users (id) ON DELETE CASCADE;

ALTER TABLE audit_log ADD COLUMN impersonator_id integer;

-- A row without an impersonator keeps the hash that it had before there were any.
CREATE OR REPLACE FUNCTION audit_hash(entry audit_log) RETURNS bytea
LANGUAGE sql STABLE
AS $$
    SELECT sha256(
        entry.previous_hash || convert_to(
            (
                jsonb_build_array(
                    entry.id, extract(epoch FROM entry.at), entry.actor_id, entry.action,
                    entry.target_type, entry.target_id, entry.detail
                ) || CASE
                    WHEN entry.impersonator_id IS NULL THEN '[]'
                    ELSE jsonb_build_array(entry.impersonator_id)
                END
            )::text,
            'UTF8'
        )
    )
$$;
"""

BACKWARDS = """
CREATE OR REPLACE FUNCTION audit_hash(entry audit_log) RETURNS bytea
LANGUAGE sql STABLE
AS $$
    SELECT sha256(
        entry.previous_hash || convert_to(
            jsonb_build_array(
                entry.id, extract(epoch FROM entry.at), entry.actor_id, entry.action,
                entry.target_type, entry.target_id, entry.detail
            )::text,
            'UTF8'
        )
    )
$$;
ALTER TABLE audit_log DROP COLUMN impersonator_id;
ALTER TABLE sessions DROP COLUMN impersonator_id;
ALTER TABLE sessions DROP COLUMN methods;
ALTER TABLE sessions DROP COLUMN authenticated_at;
ALTER TABLE users DROP COLUMN deactivated_until;
-- '' is no hash: nobody comes in by a password until one is set.
UPDATE users SET password_hash = '' WHERE password_hash IS NULL;
ALTER TABLE users ALTER COLUMN password_hash SET NOT NULL;
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
