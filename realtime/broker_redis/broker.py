"""The broker over Redis (or Valkey): pub/sub, short streams in Lua, leases, endless reconnect.

Nothing here is the truth. In an outage every verb fails at once with BrokerUnavailable, and when
messages flow again the receiver is told to compare with the truth.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from realtime.broker import BrokerState, History, Kind, Message, Receiver
from realtime.broker_redis import scripts
from realtime.broker_redis.link import FAULTS, Link, RedisOptions
from realtime.codes import BrokerUnavailable
from realtime.model import Publication

log = logging.getLogger("realtime")


class RedisBroker:
    """The broker contract over one Redis."""

    def __init__(self, url: str, options: RedisOptions | None = None) -> None:
        self._options = options = options or RedisOptions()
        # A retried append could be a second append: the caller decides, never the client.
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=options.max_connections,
            timeout=options.timeout_s,
            socket_timeout=options.timeout_s,
            socket_connect_timeout=options.timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._redis = Redis(connection_pool=self._pool)
        self._append = self._redis.register_script(scripts.APPEND)
        self._history = self._redis.register_script(scripts.HISTORY)
        self._presence_put = self._redis.register_script(scripts.PRESENCE_PUT)
        self._presence = self._redis.register_script(scripts.PRESENCE)
        self._presence_remove = self._redis.register_script(scripts.PRESENCE_REMOVE)
        self._link = Link(self._pool.make_connection, options)

    @property
    def state(self) -> BrokerState:
        """Say whether messages flow now."""
        return BrokerState(self._link.connected, self._link.last_error)

    async def start(self, receiver: Receiver) -> None:
        """Begin; waits a moment for Redis, and in the background for ever."""
        cut = len(self._key("c", "x")) - 2  # before the channel; a brace follows it
        control = self._key("control", "").encode()

        def deliver(channel: bytes, payload: bytes) -> None:
            if channel == control:
                receiver.on_control(payload)
            else:
                receiver.on_message(channel[cut:-1].decode(), _decode(payload))

        await self._link.start(control, deliver, receiver.on_restored)

    async def stop(self) -> None:
        """End; leaves no task and no connection."""
        await self._link.stop()
        await self._redis.aclose()
        await self._pool.disconnect()

    async def subscribe(self, channel: str) -> bool:
        """Want a channel; True once Redis has confirmed it."""
        return await self._link.subscribe(self._key("c", channel).encode())

    async def unsubscribe(self, channel: str) -> None:
        """Want a channel no more."""
        await self._link.unsubscribe(self._key("c", channel).encode())

    async def publish(self, channel: str, message: Message) -> None:
        """Send to every process that wants the channel."""
        await self._call(self._redis.publish, self._key("c", channel), _encode(message))

    async def append(self, channel: str, data: bytes) -> tuple[int, str]:
        """Add to the stream and send, in one Lua script."""
        options = self._options
        keys = [*self._stream_keys(channel), self._key("c", channel)]
        args = [data, options.stream_size, options.stream_ttl_s, options.meta_ttl_s, _new_epoch()]
        offset, epoch = await self._call(self._append, keys=keys, args=args)
        return int(offset), epoch.decode()

    async def history(self, channel: str, after: int, limit: int) -> History:
        """Read the stream and its head in one Lua script."""
        keys = self._stream_keys(channel)
        args = [after, limit, self._options.meta_ttl_s, _new_epoch()]
        offset, epoch, items = await self._call(self._history, keys=keys, args=args)
        found = [Publication(fields[1], int(item.partition(b"-")[0])) for item, fields in items]
        return History(found, int(offset), epoch.decode())

    async def drop(self, channel: str) -> None:
        """Forget the publications; the meta key keeps epoch and offset."""
        await self._call(self._redis.delete, self._stream_keys(channel)[0])

    async def control(self, data: bytes) -> None:
        """Send to every process."""
        await self._call(self._redis.publish, self._key("control", ""), data)

    async def presence_put(self, channel: str, client: str, info: bytes, ttl_s: float) -> None:
        """Add or renew a lease."""
        args = [client, info, ttl_s]
        await self._call(self._presence_put, keys=self._presence_keys(channel), args=args)

    async def presence_remove(self, channel: str, client: str) -> None:
        """Give a lease back."""
        await self._call(self._presence_remove, keys=self._presence_keys(channel), args=[client])

    async def presence(self, channel: str) -> dict[str, bytes]:
        """Return the living leases."""
        flat = await self._call(self._presence, keys=self._presence_keys(channel))
        return {c.decode(): info for c, info in zip(flat[::2], flat[1::2], strict=True)}

    def _key(self, kind: str, channel: str) -> str:
        """Keys of one channel share a hash tag, so that a script finds them on one shard."""
        return f"{self._options.prefix}.{kind}." + (f"{{{channel}}}" if channel else "")

    def _stream_keys(self, channel: str) -> list[str]:
        return [self._key("s", channel), self._key("m", channel)]

    def _presence_keys(self, channel: str) -> list[str]:
        return [self._key("l", channel), self._key("i", channel)]

    async def _call(self, verb: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """Run one command; while the link is down nothing waits for a timeout."""
        if not self._link.connected:
            raise BrokerUnavailable(self._link.last_error)
        cancelled_before = _cancellations()
        try:
            answer = await verb(*args, **kwargs)
        except FAULTS as fault:
            log.warning("realtime.redis_failed error=%r", fault)
            raise BrokerUnavailable(repr(fault)) from fault
        if _cancellations() > cancelled_before:
            # redis-py waits with `asyncio.wait_for`, which loses a cancellation that comes together
            # with the result (Python <= 3.11): the caller would never hear of it.
            raise asyncio.CancelledError
        return answer


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _new_epoch() -> str:
    return secrets.token_hex(4)


def _encode(message: Message) -> bytes:
    publication = message.publication
    place = f"{message.kind}{publication.offset}:{publication.version}:{message.epoch}:"
    return place.encode() + publication.data


def _decode(payload: bytes) -> Message:
    kind, rest = payload[:1], payload[1:]
    offset, version, epoch, data = rest.split(b":", 3)
    return Message(
        Kind(kind.decode()), Publication(data, int(offset), int(version)), epoch.decode()
    )
