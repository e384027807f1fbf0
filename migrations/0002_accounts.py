"""People and their sessions, the audit chain, and the answers kept for repeated requests."""

from app.infra.migrations import SqlMigration

ID = "0002"
VERSION = "1.38.0"
DESCRIPTION = "users, sessions, audit log, idempotency keys"

FORWARDS = """
CREATE TABLE users (
    id serial PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email)),
    password_hash text NOT NULL,
    name text,
    role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'teacher', 'moderator', 'admin')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    email_verified_at timestamptz,
    deactivated_at timestamptz,
    deactivated_reason text,
    version integer NOT NULL DEFAULT 1
);
CREATE INDEX users_role ON users (role, id);
CREATE INDEX users_created_at ON users (created_at, id);
CREATE INDEX users_search ON users USING gin ((email || ' ' || coalesce(name, '')) gin_trgm_ops);

CREATE TABLE sessions (
    id text PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    user_agent text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT ''
);
CREATE INDEX sessions_user ON sessions (user_id);

-- The chain is made by the database itself: whoever inserts gets the next number, the hash of the
-- row before and its own hash, so an application cannot write a row beside the chain.
CREATE TABLE audit_log (
    id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    actor_id integer,
    action text NOT NULL CHECK (action <> ''),
    target_type text NOT NULL,
    target_id text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL
);
CREATE INDEX audit_log_target ON audit_log (target_type, target_id, id);
CREATE INDEX audit_log_actor ON audit_log (actor_id, id);

-- jsonb orders its keys, so its text is canonical; extract() is exact to the microsecond and knows
-- no time zone, unlike a timestamp's text.
CREATE FUNCTION audit_hash(entry audit_log) RETURNS bytea
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

CREATE FUNCTION audit_log_chain() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    last_id bigint;
    last_hash bytea;
BEGIN
    -- One writer at a time until its commit: the chain has one end.
    PERFORM pg_advisory_xact_lock(x'51CEA0D1'::bigint);
    SELECT id, hash INTO last_id, last_hash FROM audit_log ORDER BY id DESC LIMIT 1;
    NEW.id := coalesce(last_id, 0) + 1;
    NEW.at := clock_timestamp();
    NEW.previous_hash := coalesce(last_hash, ''::bytea);
    NEW.hash := audit_hash(NEW);
    RETURN NEW;
END
$$;

CREATE FUNCTION audit_log_refuse() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_log_chain BEFORE INSERT ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_chain();
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse();

-- One row per Idempotency-Key of a person, method and address; `status` is set with the answer.
-- `carried_out` is set inside the mutation's own transaction.
CREATE TABLE idempotency_key (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    claim text NOT NULL,
    locked_until timestamptz NOT NULL,
    carried_out boolean NOT NULL DEFAULT false,
    status integer,
    headers jsonb,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key),
    CHECK ((status IS NULL) = (headers IS NULL) AND (status IS NULL) = (body IS NULL))
);
CREATE INDEX idempotency_key_created_at ON idempotency_key (created_at);
"""

BACKWARDS = """
DROP TABLE idempotency_key;
DROP TABLE audit_log CASCADE;
DROP FUNCTION audit_log_chain();
DROP FUNCTION audit_log_refuse();
DROP TABLE sessions;
DROP TABLE users;
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
