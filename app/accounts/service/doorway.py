"""The one way in: whatever proved who somebody is, their session begins here."""

import secrets

from asyncpg import Connection, Record

from app.accounts.queries import factors, users
from app.accounts.schemas import (
    AccountDeactivated,
    Admission,
    Client,
    EmailNotVerified,
    Factor,
    SecondStep,
)
from app.accounts.service.sessions import TOKEN_BYTES, Sessions
from app.kit.clock import now
from app.kit.principal import SECOND_FACTORS, Method
from app.kit.secret import token_hash


class Doorway:
    """Asks what every sign-in must answer, and opens the session."""

    def __init__(self, sessions: Sessions, *, must_verify: bool, second_step_s: int) -> None:
        self._sessions = sessions
        self._must_verify = must_verify
        self._second_step_s = second_step_s

    def check_may_enter(self, row: Record) -> None:
        """Raises AccountDeactivated, EmailNotVerified."""
        if users.is_deactivated(row, now()):
            raise AccountDeactivated(row["deactivated_reason"], row["deactivated_until"])
        if self.waits_for_its_mailbox(row):
            raise EmailNotVerified

    def waits_for_its_mailbox(self, row: Record) -> bool:
        """Whether the address must be confirmed before anybody comes in."""
        return self._must_verify and row["email_verified_at"] is None

    async def admit(
        self, tx: Connection, row: Record, client: Client, *methods: Method
    ) -> Admission:
        """A new session in the transaction of its reason; `methods` say how they proved it.

        Whoever has a second factor and gave none gets no session yet, but a second step.
        """
        user = users.as_user(row)
        if SECOND_FACTORS.isdisjoint(methods):
            ways = factors.ways_of(await factors.enrolled(tx, user.id))
            if ways:
                return Admission(user, second_factor=await self._ask(tx, user.id, ways, methods))
        return Admission(user, await self._sessions.open_session(tx, user.id, client, methods))

    async def _ask(
        self, tx: Connection, user_id: int, ways: list[Factor], methods: tuple[Method, ...]
    ) -> SecondStep:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        await factors.insert_step(tx, token_hash(token), user_id, methods, self._second_step_s)
        return SecondStep(token, ways, self._second_step_s)
