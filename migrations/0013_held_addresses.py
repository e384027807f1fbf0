"""A former address stays with its account for as long as its mailbox may take the account back."""

from app.infra.migrations import SqlMigration

ID = "0013"
VERSION = "1.38.0"
DESCRIPTION = "an index for addresses that an account may take back"

FORWARDS = """
CREATE INDEX mail_tokens_undo ON mail_tokens (email) WHERE purpose = 'undo';
"""

BACKWARDS = """
DROP INDEX mail_tokens_undo;
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
