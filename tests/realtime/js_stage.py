"""What the JavaScript client is played against: a kit whose procedures make things happen."""

import json
import time

from realtime import Identity, InvalidToken, Limits, Snapshot, TokenExpired
from realtime.model import ChannelFamily, Delivery, Grant, Hooks, Welcome
from realtime.testing import Kit, MemoryLog
from tests.realtime.families import OWN, RPC, TAIL, everybody, members


async def verify(token: str) -> Identity:
    """Tokens are users; some have a story."""
    match token:
        case "bad":
            raise InvalidToken
        case "expired":
            raise TokenExpired
        case "short":
            return Identity(user="7", session="s7", expires_at=time.time() + 1)
    return Identity(user=token, session=f"s{token}")


async def grant(token: str, _identity: Identity, _channel: str) -> Grant:
    """Grants end soon; some have ended already."""
    if token == "expired":
        raise TokenExpired
    return Grant(time.time() + 1)


async def greet(identity: Identity, _data: bytes) -> Welcome:
    """Greet one user in particular."""
    if identity.user != "enrolled":
        return Welcome()
    return Welcome(("log:own",), b'{"hello":1}')


async def state(_identity: Identity, _channel: str) -> Snapshot:
    """A state without position: all that was delivered before."""
    return Snapshot(b'"state"')


class Stage(Kit):
    """A kit whose server side clients can move by rpc."""

    def __init__(self) -> None:
        log = ChannelFamily(
            "log:{id}", Delivery.LOG, members, state, presence=True, join_leave=True
        )
        talk = ChannelFamily(
            "talk:{id}",
            Delivery.TAIL,
            members,
            authorize_publish=members,
            presence=True,
            delta=True,
            history_size=50,
        )
        secret = ChannelFamily("secret:{id}", Delivery.TAIL, members, token_required=True)
        methods = ("publish", "publishValue", "publishTail", "cut", "kick", "newEpoch")
        methods += ("enrol", "expel")
        rpc = {name: getattr(self, f"rpc_{name.lower()}") for name in methods}
        super().__init__(
            [
                log,
                OWN,
                ChannelFamily("value:{id}", Delivery.VALUE, everybody, state),
                TAIL,
                talk,
                secret,
            ],
            rpc={**RPC, **rpc},
            verify_token=verify,
            limits=Limits(ping_interval_s=1, sweep_interval_s=0.05, presence_grace_s=0),
            hooks=Hooks(on_connect=greet, on_message=self.answer, verify_subscription=grant),
        )

    async def answer(self, identity: Identity, data: bytes) -> None:
        """Answer a message with a message."""
        await self.node.api.send(data, user=identity.user)

    async def rpc_enrol(self, _identity: Identity, data: bytes) -> bytes:
        body = json.loads(data)
        await self.node.api.subscribe(body["channel"], user=body["user"])
        return b"{}"

    async def rpc_expel(self, _identity: Identity, data: bytes) -> bytes:
        body = json.loads(data)
        await self.node.api.unsubscribe(body["channel"], user=body["user"])
        return b"{}"

    async def rpc_publish(self, _identity: Identity, data: bytes) -> bytes:
        body = json.loads(data)
        assert isinstance(self.log, MemoryLog)
        row = self.log.commit(body["channel"], body["data"])
        await self.node.publish_log(body["channel"], row)
        return b"{}"

    async def rpc_publishvalue(self, _identity: Identity, data: bytes) -> bytes:
        body = json.loads(data)
        value = json.dumps(body["data"]).encode()
        await self.node.publish_value(body["channel"], value, body["version"])
        return b"{}"

    async def rpc_publishtail(self, _identity: Identity, data: bytes) -> bytes:
        body = json.loads(data)
        await self.node.publish_tail(body["channel"], json.dumps(body["data"]).encode())
        return b"{}"

    async def rpc_cut(self, _identity: Identity, data: bytes) -> bytes:
        """Break the user's connections without a goodbye, as a lost network does."""
        for connection in list(self.node._hub._users[json.loads(data)["user"]]):
            connection._out._transport.abort()
        return b"{}"

    async def rpc_kick(self, _identity: Identity, data: bytes) -> bytes:
        await self.node.disconnect_user(json.loads(data)["user"])
        return b"{}"

    async def rpc_newepoch(self, _identity: Identity, _data: bytes) -> bytes:
        assert isinstance(self.log, MemoryLog)
        self.log.epoch = "log2"
        self.log.rows.clear()
        return b"{}"
