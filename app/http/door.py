"""Who may open a socket, and as whom: asked by the route and by the fast way in alike."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, NamedTuple

from app.http.origins import header, own_origins
from app.kit.errors import ForeignOrigin
from realtime import Identity, Node

AuthenticateCookie = Callable[[Any], Awaitable[Identity | None]]
"""Asks the session store whose cookie this is."""


class Known(NamedTuple):
    """Whose cookie it is, or nobody's, and when that was true by the node's clock."""

    identity: Identity | None
    checked_at: float


class Visitor(NamedTuple):
    """As whom a socket is opened."""

    identity: Identity | None
    checked_at: float
    token_required: bool
    """A cookie alone does not do: `connect` must bring a token."""


Recall = Callable[[Any], Known | None]
"""What this process knows of a cookie without asking anybody; None: the store must be asked."""
Admits = Callable[[Any], bool]
"""Counts a request of an address; False when there were too many."""


def _everybody(_scope: Any) -> bool:
    return True


class SocketDoor:
    """The rules of one app; without origins the address that was called is the only one."""

    def __init__(
        self,
        node: Node,
        authenticate_cookie: AuthenticateCookie,
        origins: Collection[str],
        *,
        recall: Recall | None = None,
        admits: Admits = _everybody,
    ) -> None:
        self.node = node
        self.admits = admits
        self._authenticate_cookie = authenticate_cookie
        self._origins = origins
        self._recall = recall or self._recall_nothing

    def cookie_counts(self, scope: Any) -> bool:
        """Tell whether the cookie proves anything: only beside an own Origin.

        Without Origin the sender may be any program with somebody's cookie. Raises ForeignOrigin.
        """
        origin = header(scope, b"origin")
        if origin is not None and origin not in own_origins(scope, self._origins):
            raise ForeignOrigin("Open sockets from the application's own pages")
        return origin is not None

    async def ask(self, scope: Any) -> Known:
        """Have the store say whose cookie it is. Raises what the store raises when it is away."""
        checked_at = self.node.now()
        return Known(await self._authenticate_cookie(scope), checked_at)

    def recall(self, scope: Any) -> Known | None:
        """Say the same without asking; None where that cannot be done."""
        return self._recall(scope)

    def visitor(self, known: Known, *, cookie_counts: bool) -> Visitor:
        """Tell as whom somebody with this cookie comes in."""
        identity, checked_at = known
        if cookie_counts:
            return Visitor(identity, checked_at, token_required=False)
        return Visitor(None, checked_at, token_required=identity is not None)

    def _recall_nothing(self, scope: Any) -> Known | None:
        return None if header(scope, b"cookie") else Known(None, self.node.now())
