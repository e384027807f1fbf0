"""The extensions that search needs, and the durable log of the `log` channels."""

from app.infra.migrations import SqlMigration

ID = "0001"
VERSION = "1.38.0"
DESCRIPTION = "extensions, channel heads and channel log"

FORWARDS = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

-- unaccent() itself is only STABLE; an index needs a function that promises to stay the same.
CREATE FUNCTION immutable_unaccent(text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
AS $$ SELECT public.unaccent('public.unaccent', $1) $$;

CREATE TABLE channel_head (
    channel text PRIMARY KEY,
    epoch text NOT NULL,
    last_offset bigint NOT NULL DEFAULT 0 CHECK (last_offset >= 0)
);
CREATE TABLE channel_log (
    channel text NOT NULL REFERENCES channel_head (channel),
    log_offset bigint NOT NULL CHECK (log_offset > 0),
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel, log_offset)
);
CREATE INDEX channel_log_created_at ON channel_log (created_at);
"""

BACKWARDS = """
DROP TABLE channel_log;
DROP TABLE channel_head;
DROP FUNCTION immutable_unaccent(text);
DROP EXTENSION unaccent;
DROP EXTENSION pg_trgm;
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
