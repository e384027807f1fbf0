"""How a connection came in, and what holds for all who come that way."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from realtime.messages import ConnectResult, SubscribeResult
from realtime.model import Identity
from realtime.protocol import SERVER_VERSION


@dataclass(frozen=True, slots=True)
class Door:
    """What a session knows of its transport and its node."""

    unidirectional: bool = False
    """The client only listens: no pongs come back."""
    secret: str = ""
    """Emulated connections: what `/emulation` must name to speak for this client."""
    node: str = ""
    open_to_all: bool = False
    """Nobody needs to be signed in to call, read and publish."""

    def lets_call(self, identity: Identity) -> bool:
        """Tell whether this client may do more than subscribe."""
        return bool(identity.user) or self.open_to_all

    def welcome(
        self,
        client: str,
        *,
        ttl: int,
        ping: int,
        data: bytes | None,
        subs: Mapping[str, SubscribeResult],
    ) -> ConnectResult:
        """Build the answer to `connect`."""
        return ConnectResult(
            client,
            SERVER_VERSION,
            expires=ttl > 0,
            ttl=ttl,
            data=None if data is None else msgspec.Raw(data),
            subs=dict(subs),
            ping=ping,
            pong=not self.unidirectional,
            session=self.secret,
            node=self.node,
        )


FRONT_DOOR = Door()
