"""The one way in: whatever proved who somebody is, their session begins here."""

from asyncpg import Connection, Record

from app.accounts.queries import users
from app.accounts.schemas import AccountDeactivated, Admission, Client, EmailNotVerified
from app.accounts.service.sessions import Sessions
from app.kit.clock import now
from app.kit.principal import Method


class Doorway:
    """Asks what every sign-in must answer, and opens the session."""

    def __init__(self, sessions: Sessions, *, must_verify: bool) -> None:
        self._sessions = sessions
        self._must_verify = must_verify

    def check_may_enter(self, row: Record) -> None:
        """Raises AccountDeactivated, EmailNotVerified."""
        if users.is_deactivated(row, now()):
            raise AccountDeactivated(row["deactivated_reason"], row["deactivated_until"])
        if self._must_verify and row["email_verified_at"] is None:
            raise EmailNotVerified

    async def admit(
        self, tx: Connection, row: Record, client: Client, *methods: Method
    ) -> Admission:
        """A new session in the transaction of its reason; `methods` say how they proved it."""
        token = await self._sessions.open_session(tx, row["id"], client, methods)
        return Admission(users.as_user(row), token)
