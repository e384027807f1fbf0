"""Who is connected to this process, by client, user and session."""

import asyncio
from collections.abc import Iterable

from realtime.connection import Connection
from realtime.model import Identity


class Hub:
    """The connections of this process."""

    def __init__(self) -> None:
        self.connections: dict[str, Connection] = {}
        self._empty = asyncio.Event()
        self._users: dict[str, set[Connection]] = {}
        self._sessions: dict[str, set[Connection]] = {}

    def add(self, connection: Connection) -> None:
        """Note a connection that has not said yet who it is."""
        self.connections[connection.session.client] = connection

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
        self.forget(connection)
        if not self.connections:
            self._empty.set()

    async def wait_until_empty(self) -> None:
        """Wait until the last connection is gone."""
        while self.connections:
            self._empty.clear()
            await self._empty.wait()

    def of_user(self, user: str) -> Iterable[Connection]:
        """Return the user's connections."""
        return tuple(self._users.get(user, ()))

    def of_session(self, session: str) -> Iterable[Connection]:
        """Return the session's connections."""
        return tuple(self._sessions.get(session, ()))

    def count_of_user(self, user: str) -> int:
        """Count the user's connections."""
        return len(self._users.get(user, ()))

    def tick(self) -> None:
        """Let every connection look at the clock."""
        for connection in tuple(self.connections.values()):
            connection.tick()


def _discard(index: dict[str, set[Connection]], key: str, connection: Connection) -> None:
    members = index.get(key)
    if members is not None:
        members.discard(connection)
        if not members:
            del index[key]
