"""Conversations with the tutor, and their turns; an unfinished turn is a leased job."""

from app.infra.migrations import SqlMigration

ID = "0006"
VERSION = "1.38.0"
DESCRIPTION = "conversations and chat history"

FORWARDS = """
CREATE TABLE conversations (
    id text PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title text NOT NULL,
    book_id integer REFERENCES books (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX conversations_of_user ON conversations (user_id, updated_at DESC, id DESC);
CREATE INDEX conversations_book ON conversations (book_id);

CREATE TABLE chat_history (
    id serial PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    conversation_id text NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    user_message text NOT NULL,
    ai_response text NOT NULL DEFAULT '',
    "timestamp" timestamptz NOT NULL DEFAULT now(),
    status text NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'running', 'completed', 'stopped', 'failed', 'interrupted')),
    error text,
    model text,
    sources jsonb NOT NULL DEFAULT '[]',
    queued_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    stop_requested boolean NOT NULL DEFAULT false,
    attempt integer NOT NULL DEFAULT 1 CHECK (attempt > 0),
    fence integer NOT NULL DEFAULT 0,
    lease_owner text,
    lease_expires_at timestamptz,
    CONSTRAINT chat_history_lease CHECK (
        (status = 'running') = (lease_owner IS NOT NULL AND lease_expires_at IS NOT NULL)
    )
);
-- Two windows of one person cannot start two answers in one conversation.
CREATE UNIQUE INDEX chat_history_one_answer ON chat_history (conversation_id)
    WHERE status IN ('queued', 'running');
CREATE INDEX chat_history_turns ON chat_history (conversation_id, id);
CREATE INDEX chat_history_queue ON chat_history (id) WHERE status = 'queued';
CREATE INDEX chat_history_leases ON chat_history (lease_expires_at) WHERE status = 'running';
CREATE INDEX chat_history_pace ON chat_history (user_id, queued_at);
"""

BACKWARDS = """
DROP TABLE chat_history;
DROP TABLE conversations;
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
