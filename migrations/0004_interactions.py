"""What people did with books: one row per counted view, download and like."""

from app.infra.migrations import SqlMigration

ID = "0004"
VERSION = "1.38.0"
DESCRIPTION = "interactions"

FORWARDS = """
CREATE TABLE interactions (
    id serial PRIMARY KEY,
    user_id integer REFERENCES users (id) ON DELETE SET NULL,
    book_id integer NOT NULL REFERENCES books (id) ON DELETE CASCADE,
    type text NOT NULL CHECK (type IN ('view', 'download', 'like')),
    timestamp timestamptz NOT NULL DEFAULT now(),
    -- Who counted, as a keyed hash: the window stays closed even where user_id is not known.
    viewer bytea,
    window_start timestamptz,
    CONSTRAINT interactions_counted_in_a_window
        CHECK ((type = 'like') = (viewer IS NULL) AND (viewer IS NULL) = (window_start IS NULL))
);
CREATE UNIQUE INDEX interactions_one_like ON interactions (user_id, book_id) WHERE type = 'like';
CREATE UNIQUE INDEX interactions_one_per_window
    ON interactions (viewer, book_id, type, window_start) WHERE type <> 'like';
CREATE INDEX interactions_book ON interactions (book_id, type);
CREATE INDEX interactions_user ON interactions (user_id);
CREATE INDEX interactions_timestamp ON interactions (timestamp);
"""

BACKWARDS = """
DROP TABLE interactions;
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
