"""Reports and the cases that gather them."""

from app.infra.migrations import SqlMigration

ID = "0005"
VERSION = "1.38.0"
DESCRIPTION = "cases and reports"

FORWARDS = """
-- All reports on one target that are still being looked at.
CREATE TABLE cases (
    id text PRIMARY KEY,
    target_type text NOT NULL CHECK (target_type IN ('book', 'user', 'message')),
    target_id integer NOT NULL CHECK (target_id > 0),
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    opened_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    CONSTRAINT cases_closed_says_when CHECK ((status = 'closed') = (closed_at IS NOT NULL))
);
CREATE UNIQUE INDEX cases_one_open_per_target ON cases (target_type, target_id)
    WHERE status = 'open';

CREATE TABLE reports (
    id serial PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id),
    case_id text NOT NULL REFERENCES cases (id),
    target_type text NOT NULL CHECK (target_type IN ('book', 'user', 'message')),
    target_id integer NOT NULL CHECK (target_id > 0),
    -- As it was when it was reported; the target itself may change or go.
    target_title text NOT NULL,
    target_url text,
    reason text NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 2000),
    extra jsonb CHECK (jsonb_typeof(extra) = 'object'),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'resolved', 'rejected')),
    version integer NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    decided_by integer REFERENCES users (id),
    decided_at timestamptz,
    CONSTRAINT reports_one_per_reporter_and_case UNIQUE (case_id, user_id),
    CONSTRAINT reports_decision_is_whole CHECK (
        (status = 'pending') = (decided_by IS NULL) AND (status = 'pending') = (decided_at IS NULL)
    )
);
CREATE INDEX reports_created ON reports (created_at, id);
CREATE INDEX reports_updated ON reports (updated_at, id);
CREATE INDEX reports_status_created ON reports (status, created_at, id);
CREATE INDEX reports_user_created ON reports (user_id, created_at, id);
CREATE INDEX reports_target ON reports (target_type, target_id, created_at, id);
CREATE INDEX reports_search ON reports USING gin ((target_title || ' ' || reason) gin_trgm_ops);
"""

BACKWARDS = """
DROP TABLE reports;
DROP TABLE cases;
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
