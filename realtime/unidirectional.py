"""Transports whose client only listens: the same frames, as bare pushes.

Such a client sends one ConnectRequest and then nothing; `connect_frame` makes the command of it.
"""

from collections.abc import Sequence

import msgspec

from realtime import codes
from realtime.codes import Disconnect
from realtime.messages import ConnectRequest, ErrorBody
from realtime.protocol import Frame, ProtocolFault
from realtime.transport import Transport, TransportClosed

PUSH = b'{"push":'
REPLY = b'{"id":1,'
ERROR = REPLY + b'"error":'


def connect_frame(request: bytes) -> bytes:
    """Turn a ConnectRequest into the command it stands for; raises ProtocolFault."""
    try:
        msgspec.json.decode(request, type=ConnectRequest)
    except msgspec.MsgspecError as fault:
        raise ProtocolFault("no connect request") from fault
    return REPLY + b'"connect":' + request.replace(b"\n", b" ") + b"}"


class UnidirectionalTransport:
    """Strips what only matters to those who ask, and turns a refusal into a goodbye."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    async def send(self, frames: Sequence[Frame]) -> None:
        """Send pushes one by one."""
        for frame in frames:
            if frame.data.startswith(ERROR):
                refusal = refusal_of(frame.data)
                await self._inner.close(refusal.code, refusal.reason)
                raise TransportClosed
            await self._inner.send([Frame(bare(frame.data))])

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye."""
        await self._inner.close(code, reason)

    def abort(self) -> None:
        """Drop the connection at once."""
        self._inner.abort()


def bare(data: bytes) -> bytes:
    """Return a push, or the answer to `connect`, without its wrapping; a ping stays."""
    if data.startswith(PUSH):
        return data[len(PUSH) : -1]
    return b"{" + data.removeprefix(REPLY) if data.startswith(REPLY) else data


def refusal_of(data: bytes) -> Disconnect:
    """Return the close that stands for an error: whoever cannot ask again must come again."""
    error = msgspec.json.decode(data[len(ERROR) : -1], type=ErrorBody)
    if error.code == codes.TOKEN_EXPIRED.code:
        return codes.EXPIRED
    return codes.SERVER_ERROR if error.temporary else Disconnect(codes.DENIED.code, error.message)
