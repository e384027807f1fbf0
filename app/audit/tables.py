"""The audit log as a piccolo table; its chain and its refusals are triggers of migration 0002."""

from piccolo.columns import JSONB, BigInt, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table


class AuditLog(Table, tablename="audit_log"):
    """One deed. The database numbers, dates and chains it; nobody can change or remove it.

    `actor_id` is no foreign key: the log outlives the accounts it names.
    """

    id = BigInt(primary_key=True)
    at = Timestamptz()
    actor_id = Integer(null=True, default=None)
    impersonator_id = Integer(null=True, default=None)
    action = Text()
    target_type = Text()
    target_id = Text()
    detail = JSONB()
    previous_hash = Bytea()
    hash = Bytea()
