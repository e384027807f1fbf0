"""Conversations and their turns as piccolo tables; the constraints stand in migration 0006."""

from piccolo.columns import JSONB, Boolean, Integer, Serial, Text, Timestamptz
from piccolo.table import Table


class Conversation(Table, tablename="conversations"):
    """A thread between one person and the tutor, about one book or about the whole library."""

    id = Text(primary_key=True)
    user_id = Integer()
    title = Text()
    book_id = Integer(null=True, default=None)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class ChatHistory(Table, tablename="chat_history"):
    """One turn: the question, the answer as far as it was written, and the lease of its writer."""

    id = Serial(primary_key=True)
    user_id = Integer()
    conversation_id = Text()
    user_message = Text()
    ai_response = Text(default="")
    timestamp = Timestamptz()
    status = Text(default="queued")
    error = Text(null=True, default=None)
    model = Text(null=True, default=None)
    sources = JSONB(default="[]")
    queued_at = Timestamptz()
    started_at = Timestamptz(null=True, default=None)
    finished_at = Timestamptz(null=True, default=None)
    stop_requested = Boolean(default=False)
    attempt = Integer(default=1)
    fence = Integer(default=0)
    lease_owner = Text(null=True, default=None)
    lease_expires_at = Timestamptz(null=True, default=None)
