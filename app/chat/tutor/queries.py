"""Named SQL of the answering worker: claim, lease, checkpoint, finish, reap.

Indexes: chat_history_queue, chat_history_leases, chat_history_turns, chat_history_pkey. Every write
names the owner and the fence, so a writer that lost its lease changes nothing.
"""

from collections.abc import Sequence
from typing import Any

from asyncpg import Record

from app.infra.db import Queryable

FINISHED = """
id, conversation_id, user_message, ai_response, status, sources, model, error, attempt,
"timestamp" AS created_at
"""

OURS = "id = $1 AND lease_owner = $2 AND fence = $3 AND status = 'running'"


async def claim(db: Queryable, owner: str, lease_s: float, model: str) -> Record | None:
    """Take the oldest waiting question; None when there is none."""
    return await db.fetchrow(
        """
        UPDATE chat_history AS turn SET status = 'running', lease_owner = $1, model = $3,
            lease_expires_at = now() + make_interval(secs => $2), fence = turn.fence + 1,
            started_at = now()
        FROM conversations AS thread
        WHERE thread.id = turn.conversation_id AND turn.id = (
            SELECT id FROM chat_history WHERE status = 'queued'
            ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1
        )
        RETURNING turn.id, turn.conversation_id, turn.user_message, turn.attempt, turn.fence,
            thread.book_id
        """,
        owner,
        lease_s,
        model,
    )


async def earlier_turns(
    db: Queryable, conversation_id: str, before: int, limit: int
) -> list[Record]:
    """The newest answered turns before this one, oldest of them first."""
    return await db.fetch(
        """
        SELECT user_message, ai_response FROM (
            SELECT id, user_message, ai_response FROM chat_history
            WHERE conversation_id = $1 AND id < $2 AND status IN ('completed', 'stopped')
                AND ai_response <> ''
            ORDER BY id DESC LIMIT $3
        ) AS newest ORDER BY id
        """,
        conversation_id,
        before,
        limit,
    )


async def set_sources(
    db: Queryable, message_id: int, owner: str, fence: int, sources: Sequence[Any]
) -> None:
    """What the answer may cite."""
    await db.execute(
        f"UPDATE chat_history SET sources = $4 WHERE {OURS}", message_id, owner, fence, sources
    )


async def checkpoint(
    db: Queryable, message_id: int, owner: str, fence: int, lease_s: float, text: str
) -> bool | None:
    """Keep the text, renew the lease: whether a stop was asked for, None when the lease is lost."""
    stop: bool | None = await db.fetchval(
        f"""
        UPDATE chat_history SET ai_response = $5,
            lease_expires_at = now() + make_interval(secs => $4)
        WHERE {OURS} RETURNING stop_requested
        """,
        message_id,
        owner,
        fence,
        lease_s,
        text,
    )
    return stop


async def finish(
    db: Queryable,
    message_id: int,
    owner: str,
    fence: int,
    status: str,
    text: str,
    error: str | None,
) -> Record | None:
    """Write the end of an answer; None when the lease is lost and somebody else has the word."""
    return await db.fetchrow(
        f"""
        UPDATE chat_history SET status = $4, ai_response = $5, error = $6, finished_at = now(),
            lease_owner = NULL, lease_expires_at = NULL
        WHERE {OURS} RETURNING {FINISHED}
        """,
        message_id,
        owner,
        fence,
        status,
        text,
        error,
    )


async def reap(db: Queryable, limit: int) -> list[Record]:
    """End the answers whose worker went silent; what they wrote stays."""
    return await db.fetch(
        f"""
        UPDATE chat_history SET status = 'interrupted', error = 'worker-lost',
            finished_at = now(), lease_owner = NULL, lease_expires_at = NULL
        WHERE id IN (
            SELECT id FROM chat_history WHERE status = 'running' AND lease_expires_at < now()
            ORDER BY lease_expires_at FOR UPDATE SKIP LOCKED LIMIT $1
        )
        RETURNING {FINISHED}
        """,
        limit,
    )
