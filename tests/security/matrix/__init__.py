"""The authorisation matrix (R5; ASVS 5.0, 8.2.1-8.2.3): who may call what.

Each room keeps its rows in its own module; here they come together. A row is named by the
operation id, or by `METHOD /path` where an address has none.
"""

from tests.security.matrix import (
    accounts,
    catalog,
    chat,
    doors,
    factors,
    mailed,
    privacy,
    reports,
    topics,
)
from tests.security.matrix.rows import Row

ROWS: dict[str, Row] = {}
for room in (privacy, accounts, catalog, chat, doors, factors, mailed, reports):
    assert not ROWS.keys() & room.ROWS.keys()
    ROWS |= room.ROWS

TOPICS, RPCS = topics.TOPICS, topics.RPCS
