"""The tables behind the infrastructure: the durable channel log, idempotency keys, and jobs.

piccolo knows no primary key of two columns: there the first column carries the mark.
"""

from piccolo.columns import JSONB, BigInt, Boolean, Bytea, ForeignKey, Integer, Text, Timestamptz
from piccolo.table import Table


class ChannelHead(Table, tablename="channel_head"):
    """The last offset given out on a channel; its row lock puts the commits in order."""

    channel = Text(primary_key=True)
    epoch = Text()
    last_offset = BigInt(default=0)


class ChannelLog(Table, tablename="channel_log"):
    """What was said on a `log` channel, gapless from 1 until it is trimmed at the old end."""

    channel = ForeignKey(references=ChannelHead, primary_key=True, null=False)
    log_offset = BigInt()
    data = JSONB()
    created_at = Timestamptz()


class IdempotencyKey(Table, tablename="idempotency_key"):
    """One request under an Idempotency-Key: claimed, carried out, answered."""

    scope = Text(primary_key=True)
    key = Text()
    fingerprint = Bytea()
    claim = Text()
    locked_until = Timestamptz()
    carried_out = Boolean(default=False)
    status = Integer(null=True, default=None)
    headers = JSONB(null=True, default=None)
    body = Bytea(null=True, default=None)
    created_at = Timestamptz()


class Job(Table, tablename="jobs"):
    """Something to be done after the fact; done ones leave no row, dead ones stay for a while."""

    id = Text(primary_key=True)
    kind = Text()
    payload = JSONB()
    created_at = Timestamptz()
    run_at = Timestamptz()
    attempts = Integer(default=0)
    fence = Integer(default=0)
    lease_owner = Text(null=True, default=None)
    lease_expires_at = Timestamptz(null=True, default=None)
    last_error = Text(null=True, default=None)
    dead_at = Timestamptz(null=True, default=None)
