"""Who is connected to this process, by client, user and session."""

import asyncio
from collections.abc import Callable, Iterator

from realtime.connection import Connection
from realtime.model import Identity
from realtime.phase import Phase
from realtime.wheel import Wheel

REMEMBER_S = 60.0
NEVER = float("-inf")
CONNECTED = Phase.CONNECTED


class Hub:
    """The connections of this process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wheel = Wheel()
        self.connections: dict[str, Connection] = {}
        self.emulated: dict[str, Connection] = {}
        """Connections whose clients speak by separate requests, by the secret they must name."""
        self._empty = asyncio.Event()
        self._users: dict[str, set[Connection]] = {}
        self._sessions: dict[str, set[Connection]] = {}
        self._ended: dict[tuple[str, str], float] = {}
        """When a session or a user was last ended, kept longer than any `connect` can take."""
        self._renewed: dict[str, float] = {}
        """When a session last got another token; kept as long."""
        self._missed_until = NEVER
        self._watches: dict[tuple[str, str], set[asyncio.Event]] = {}
        """Who is told when a session or a user is ended, without a connection here."""

    def add(self, connection: Connection) -> None:
        """Note a connection that has not said yet who it is."""
        self.connections[connection.session.client] = connection
        if connection.session.door.secret:
            self.emulated[connection.session.door.secret] = connection
        self.arm(connection)

    def arm(self, connection: Connection) -> None:
        """Have the connection looked at when its next deadline comes."""
        self._wheel.arm(connection, connection.session.deadlines.next)

    def identify(self, connection: Connection, identity: Identity) -> None:
        """Note whose connection it is."""
        if identity.user:
            self._users.setdefault(identity.user, set()).add(connection)
        if identity.session:
            self._sessions.setdefault(identity.session, set()).add(connection)

    def forget(self, connection: Connection) -> None:
        """Forget whose connection it was."""
        identity = connection.session.identity
        _discard(self._users, identity.user, connection)
        _discard(self._sessions, identity.session, connection)

    def remove(self, connection: Connection) -> None:
        """Forget the connection."""
        self.connections.pop(connection.session.client, None)
        self.emulated.pop(connection.session.door.secret, None)
        self._wheel.disarm(connection)
        self.forget(connection)
        if not self.connections:
            self._empty.set()

    async def wait_until_empty(self) -> None:
        """Wait until the last connection is gone."""
        while self.connections:
            self._empty.clear()
            await self._empty.wait()

    def end(self, session: str, user: str, now: float) -> list[Connection]:
        """Note an order to end a session or user; returns the connections it concerns.

        A `connect` that is on its way may have been checked before the order: it asks later.
        """
        self._ended = {k: at for k, at in self._ended.items() if now - at < REMEMBER_S}
        for key in (("session", session), ("user", user)):
            if key[1]:
                self._ended[key] = now
                for watch in self._watches.get(key, ()):
                    watch.set()
        return [*self._sessions.get(session, ()), *self._users.get(user, ())]

    def renew(self, session: str, now: float) -> None:
        """Note that a session goes on under another token."""
        self._renewed = {k: at for k, at in self._renewed.items() if now - at < REMEMBER_S}
        self._renewed[session] = now

    def of(self, user: str, client: str) -> list[Connection]:
        """Return a user's connections, or the one named; without both those of nobody."""
        if client:
            found = [self.connections[client]] if client in self.connections else []
            user = user or next((c.session.identity.user for c in found), "")
        else:
            found = list(self._users[user] if user in self._users else self.connections.values())
        return [
            c for c in found if c.session.identity.user == user and c.session.phase is CONNECTED
        ]

    def ended_since(self, identity: Identity, then: float) -> bool:
        """Tell whether this identity was ended at or after a moment."""
        if not self._ended:
            return False
        keys = (("session", identity.session), ("user", identity.user))
        return any(self._ended.get(key, NEVER) >= then for key in keys)

    def renewed_since(self, identity: Identity, then: float) -> bool:
        """Tell whether this identity's session got another token at or after a moment."""
        return self._renewed.get(identity.session, NEVER) >= then

    def watch(self, identity: Identity, watch: asyncio.Event) -> None:
        """Set the event when this identity's session or user is ended."""
        for key in (("session", identity.session), ("user", identity.user)):
            self._watches.setdefault(key, set()).add(watch)

    def unwatch(self, identity: Identity, watch: asyncio.Event) -> None:
        """Do so no more."""
        for key in (("session", identity.session), ("user", identity.user)):
            members = self._watches.get(key, set())
            members.discard(watch)
            if not members:
                self._watches.pop(key, None)

    def missed(self, now: float) -> None:
        """Note that orders to end somebody may have been missed until this moment."""
        self._missed_until = now

    def may_have_missed(self, then: float) -> bool:
        """Tell whether such an order may have been missed after a moment."""
        return then < self._missed_until

    def with_session(self) -> list[Identity]:
        """List the identities of all connections that belong to a session."""
        return [c.session.identity for group in self._sessions.values() for c in group]

    def count_of_user(self, user: str) -> int:
        """Count the user's connections."""
        return len(self._users.get(user, ()))

    def tick(self) -> None:
        """Let every connection that is due look at the clock."""
        for _ in self.ticking():
            pass

    def ticking(self) -> Iterator[None]:
        """Do the same one by one: whoever iterates may let others run between."""
        for connection in self._wheel.due(self._clock()):
            connection.tick()
            yield


def _discard(index: dict[str, set[Connection]], key: str, connection: Connection) -> None:
    members = index.get(key)
    if members is not None:
        members.discard(connection)
        if not members:
            del index[key]
