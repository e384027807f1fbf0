"""What was counted, as a piccolo table; the constraints stand in migration 0004."""

from piccolo.columns import Bytea, Integer, Serial, Text, Timestamptz
from piccolo.table import Table


class Interaction(Table, tablename="interactions"):
    """A counted view or download (one per viewer and window) or a like that stands."""

    id = Serial(primary_key=True)
    user_id = Integer(null=True, default=None)
    book_id = Integer()
    type = Text()
    timestamp = Timestamptz()
    viewer = Bytea(null=True, default=None)
    window_start = Timestamptz(null=True, default=None)
