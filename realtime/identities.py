"""What those ask who keep an identity: whether it may still be used as it was read."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from realtime.model import Identity
from realtime.orders import Orders, Renew
from realtime.parts import Parts


class Identities:
    """Answers for what this process has heard of sessions and users."""

    def __init__(self, parts: Parts, orders: Orders) -> None:
        self._hub = parts.hub
        self._broker = parts.broker
        self._wall_clock = parts.wall_clock
        self._orders = orders

    def stand(self, identity: Identity, since: float) -> bool:
        """Tell whether an identity read then, by the node's `now`, may be used without asking.

        It may not while other processes' orders to end somebody may be missed, nor if one may have
        been missed since then.
        """
        ends_at = identity.expires_at
        is_over = ends_at is not None and ends_at <= self._wall_clock()
        changed = self._hub.ended_since(identity, since) or self._hub.renewed_since(identity, since)
        heard_all = self._broker.state.connected and not self._hub.may_have_missed(since)
        return heard_all and not is_over and not changed

    @contextmanager
    def watch(self, identity: Identity) -> Iterator[asyncio.Event]:
        """Hand out what is set when an order ends this session or user, while the block lasts.

        For whoever serves them without a connection; an order that is missed sets nothing.
        """
        ended = asyncio.Event()
        self._hub.watch(identity, ended)
        try:
            yield ended
        finally:
            self._hub.unwatch(identity, ended)

    async def renew(self, session: str) -> None:
        """Have every process ask anew who comes with this session: it goes on under another token.

        Its connections stay, and who showed the former token just now is no longer taken for it.
        """
        await self._orders.give(Renew(session))
