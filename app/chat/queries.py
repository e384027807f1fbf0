"""Named SQL of the tutor's readers and askers; the worker's half stands in `tutor/queries.py`.

Indexes: conversations_pkey, conversations_of_user, chat_history_pkey, chat_history_turns,
chat_history_one_answer, chat_history_pace.
"""

from datetime import datetime
from typing import Any

from asyncpg import Record

from app.infra.db import Queryable

WAKE_CHANNEL = "sicerdas_chat"
"""PostgreSQL's NOTIFY channel between the app and its workers."""
ASK = "ask"
STOP = "stop:"
"""Followed by the id of the turn."""

CONVERSATION = "id, user_id, title, book_id, created_at, updated_at"

TURN = """
id, conversation_id, user_id, user_message, ai_response, status, sources, model, error, attempt,
"timestamp" AS created_at
"""


async def lock_pace(db: Queryable, user_id: int) -> None:
    """Questions of one person are counted one after the other, until the transaction ends."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtext('chat.pace'), $1)", user_id)


async def answers_since(db: Queryable, user_id: int, seconds: float) -> Record:
    """How many answers a person has asked for lately (retries included), and when the first."""
    row = await db.fetchrow(
        """
        SELECT coalesce(sum(attempt), 0) AS answers, min(queued_at) AS oldest, now() AS now
        FROM chat_history WHERE user_id = $1 AND queued_at > now() - make_interval(secs => $2)
        """,
        user_id,
        seconds,
    )
    assert row is not None
    return row


async def insert_conversation(
    db: Queryable, conversation_id: str, user_id: int, title: str, book_id: int | None
) -> None:
    """A new thread."""
    await db.execute(
        "INSERT INTO conversations (id, user_id, title, book_id) VALUES ($1, $2, $3, $4)",
        conversation_id,
        user_id,
        title,
        book_id,
    )


async def conversation_by_id(db: Queryable, conversation_id: str) -> Record | None:
    """One thread."""
    return await db.fetchrow(
        f"SELECT {CONVERSATION} FROM conversations WHERE id = $1", conversation_id
    )


async def lock_conversation(db: Queryable, conversation_id: str) -> Record | None:
    """One thread, locked until the transaction ends."""
    return await db.fetchrow(
        f"SELECT {CONVERSATION} FROM conversations WHERE id = $1 FOR NO KEY UPDATE", conversation_id
    )


async def touch_conversation(db: Queryable, conversation_id: str, book_id: int | None) -> None:
    """Something was said; a given book becomes what the thread is about."""
    await db.execute(
        """
        UPDATE conversations SET updated_at = now(), book_id = coalesce($2, book_id) WHERE id = $1
        """,
        conversation_id,
        book_id,
    )


async def list_conversations(
    db: Queryable, user_id: int, limit: int, before: tuple[datetime, str] | None
) -> list[Record]:
    """A person's threads, newest first; `before` is the keyset of the page before."""
    return await db.fetch(
        f"""
        SELECT {CONVERSATION} FROM conversations
        WHERE user_id = $1 AND ($2::timestamptz IS NULL OR (updated_at, id) < ($2, $3))
        ORDER BY updated_at DESC, id DESC LIMIT $4
        """,
        user_id,
        before[0] if before else None,
        before[1] if before else None,
        limit,
    )


async def rename_conversation(db: Queryable, conversation_id: str, title: str) -> Record | None:
    """The thread under its new title."""
    return await db.fetchrow(
        f"UPDATE conversations SET title = $2 WHERE id = $1 RETURNING {CONVERSATION}",
        conversation_id,
        title,
    )


async def delete_conversation(db: Queryable, conversation_id: str) -> None:
    """The thread and its turns; a worker that writes on one loses its lease."""
    await db.execute("DELETE FROM conversations WHERE id = $1", conversation_id)


async def turns_of(db: Queryable, conversation_id: str, limit: int) -> list[Record]:
    """The newest turns, oldest of them first."""
    return await db.fetch(
        f"""
        SELECT * FROM (
            SELECT {TURN} FROM chat_history WHERE conversation_id = $1 ORDER BY id DESC LIMIT $2
        ) AS newest ORDER BY id
        """,
        conversation_id,
        limit,
    )


async def turn_by_id(db: Queryable, message_id: int) -> Record | None:
    """One turn."""
    return await db.fetchrow(f"SELECT {TURN} FROM chat_history WHERE id = $1::bigint", message_id)


async def lock_turn(db: Queryable, message_id: int) -> Record | None:
    """One turn, locked until the transaction ends."""
    return await db.fetchrow(
        f"SELECT {TURN} FROM chat_history WHERE id = $1::bigint FOR NO KEY UPDATE", message_id
    )


async def has_open_answer(db: Queryable, conversation_id: str) -> bool:
    """Whether the tutor is busy in this thread."""
    found: bool = await db.fetchval(
        """
        SELECT EXISTS (SELECT FROM chat_history
            WHERE conversation_id = $1 AND status IN ('queued', 'running'))
        """,
        conversation_id,
    )
    return found


async def insert_turn(db: Queryable, user_id: int, conversation_id: str, message: str) -> int:
    """A question, waiting for a worker."""
    message_id: int = await db.fetchval(
        """
        INSERT INTO chat_history (user_id, conversation_id, user_message) VALUES ($1, $2, $3)
        RETURNING id
        """,
        user_id,
        conversation_id,
        message,
    )
    return message_id


async def requeue_turn(db: Queryable, message_id: int) -> None:
    """The next attempt at an answer; what the last one wrote goes."""
    await db.execute(
        """
        UPDATE chat_history SET status = 'queued', attempt = attempt + 1, queued_at = now(),
            ai_response = '', sources = '[]', error = NULL, model = NULL, stop_requested = false,
            started_at = NULL, finished_at = NULL
        WHERE id = $1
        """,
        message_id,
    )


async def request_stop(db: Queryable, message_id: int) -> Record | None:
    """Stop what is queued at once, and ask the writer of what is running; None when it is final."""
    return await db.fetchrow(
        f"""
        UPDATE chat_history SET stop_requested = true,
            status = CASE status WHEN 'queued' THEN 'stopped' ELSE status END,
            finished_at = CASE status WHEN 'queued' THEN now() END
        WHERE id = $1 AND status IN ('queued', 'running') RETURNING {TURN}
        """,
        message_id,
    )


async def wake_workers(db: Queryable, payload: str) -> None:
    """Heard by every worker when the transaction commits; a lost one costs a second (they poll)."""
    await db.execute("SELECT pg_notify($1, $2)", WAKE_CHANNEL, payload)


async def personal_rows(db: Queryable, user_id: int) -> dict[str, list[dict[str, Any]]]:
    """A person's conversations and everything that was said in them."""
    threads = await db.fetch(
        """
        SELECT id, title, book_id, created_at, updated_at
        FROM conversations WHERE user_id = $1 ORDER BY created_at
        """,
        user_id,
    )
    turns = await db.fetch(
        """
        SELECT id, conversation_id, user_message, ai_response, status, sources, model,
            "timestamp" AS created_at
        FROM chat_history WHERE user_id = $1 ORDER BY id
        """,
        user_id,
    )
    return {
        "conversations": [dict(row) for row in threads],
        "messages": [dict(row) for row in turns],
    }


async def delete_conversations_of(db: Queryable, user_id: int) -> list[str]:
    """Remove all of a person's conversations with their turns; their ids."""
    rows = await db.fetch("DELETE FROM conversations WHERE user_id = $1 RETURNING id", user_id)
    await db.execute("DELETE FROM chat_history WHERE user_id = $1", user_id)
    return [row["id"] for row in rows]
