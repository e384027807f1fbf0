"""Reports and cases as piccolo tables; the constraints stand in migration 0005."""

from piccolo.columns import JSONB, ForeignKey, Integer, Serial, Text, Timestamptz
from piccolo.table import Table


class Case(Table, tablename="cases"):
    """What is being looked at: at most one open case per target."""

    id = Text(primary_key=True)
    target_type = Text()
    target_id = Integer()
    status = Text(default="open")
    opened_at = Timestamptz()
    closed_at = Timestamptz(null=True, default=None)


class Report(Table, tablename="reports"):
    """What one person reported, once per case. `target_title` is what it was called then."""

    id = Serial(primary_key=True)
    user_id = Integer()
    case_id = ForeignKey(references=Case, null=False)
    target_type = Text()
    target_id = Integer()
    target_title = Text()
    target_url = Text(null=True, default=None)
    reason = Text()
    extra = JSONB(null=True, default=None)
    status = Text(default="pending")
    version = Integer(default=1)
    created_at = Timestamptz()
    updated_at = Timestamptz()
    decided_by = Integer(null=True, default=None)
    decided_at = Timestamptz(null=True, default=None)
