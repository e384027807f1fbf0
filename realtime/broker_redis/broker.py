"""The broker over Redis (or Valkey): pub/sub, short streams in Lua, leases, endless reconnect.

Nothing here is the truth. In an outage every verb fails at once with BrokerUnavailable, and when
messages flow again the receiver is told to compare with the truth.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from realtime.broker import WHOLE, BrokerState, History, Keep, Message, Receiver
from realtime.broker_redis import scripts
from realtime.broker_redis.cluster import Cluster
from realtime.broker_redis.layout import Layout, OneServer
from realtime.broker_redis.options import RedisOptions, cluster_address
from realtime.broker_redis.payload import FORM, Foreign, decode, encode
from realtime.broker_redis.scripts import Script
from realtime.model import Publication


class RedisBroker:
    """The broker contract over one Redis, or over a Redis Cluster: the URL tells."""

    def __init__(self, url: str, options: RedisOptions | None = None) -> None:
        self._options = options = options or RedisOptions()
        cluster = cluster_address(url)
        self._layout: Layout = (
            OneServer(url, options) if cluster is None else Cluster(cluster, options)
        )

    @property
    def state(self) -> BrokerState:
        """Say whether messages flow now."""
        return BrokerState(self._layout.connected, self._layout.last_error)

    async def start(self, receiver: Receiver, node: str = "") -> None:
        """Begin; waits a moment for Redis, and in the background for ever."""
        cut = len(self._key("c", "x")) - 2  # before the channel; a brace follows it
        controls = {self._key("control", "").encode(), self._key("node", node).encode()}

        foreign = Foreign(receiver.on_restored)

        def deliver(channel: bytes, payload: bytes) -> None:
            if payload[:1] != FORM:
                foreign.take(channel, payload)
            elif channel in controls:
                receiver.on_control(payload[1:])
            else:
                receiver.on_message(channel[cut:-1].decode(), decode(payload))

        await self._layout.start(sorted(controls), deliver, receiver.on_restored)

    async def stop(self) -> None:
        """End; leaves no task and no connection."""
        await self._layout.stop()

    async def subscribe(self, channel: str) -> bool:
        """Want a channel; True once Redis has confirmed it."""
        return await self._layout.subscribe(self._key("c", channel).encode())

    async def unsubscribe(self, channel: str) -> None:
        """Want a channel no more."""
        await self._layout.unsubscribe(self._key("c", channel).encode())

    async def publish(self, channel: str, message: Message, *, key: str = "") -> None:
        """Send to every process that wants the channel; once for each key."""
        name, payload = self._key("c", channel), encode(message)
        if key:
            args = [self._layout.publish, payload, self._options.key_ttl_s]
            await self._run(scripts.PUBLISH_ONCE, [self._once(channel, key), name], args)
        else:
            await self._say(name, payload)

    async def append(
        self, channel: str, data: bytes, *, info: bytes = b"", key: str = "", keep: Keep = WHOLE
    ) -> tuple[int, str]:
        """Add to the stream and send, in one Lua script."""
        options = self._options
        keys = [*self._stream_keys(channel), self._once(channel, key), self._key("c", channel)]
        bounds = [keep.size or options.stream_size, keep.ttl_s or options.stream_ttl_s]
        ttl_s = options.key_ttl_s if key else 0
        args = [data, info, *bounds, options.meta_ttl_s, _new_epoch(), ttl_s, FORM]
        offset, epoch = await self._run(scripts.APPEND, keys, [self._layout.publish, *args])
        return int(offset), epoch.decode()

    async def history(self, channel: str, after: int, limit: int) -> History:
        """Read the stream and its head in one Lua script."""
        args = [after, limit, self._options.meta_ttl_s, _new_epoch()]
        keys = self._stream_keys(channel)
        offset, epoch, items = await self._run(scripts.HISTORY, keys, args)
        return History([_of_stream(*item) for item in items], int(offset), epoch.decode())

    async def drop(self, channel: str) -> None:
        """Forget the publications; the meta key keeps epoch and offset."""
        key = self._stream_keys(channel)[0]
        await self._layout.on(key, lambda shard: shard.call("DEL", key))

    async def control(self, data: bytes) -> None:
        """Send to every process."""
        await self._say(self._key("control", ""), FORM + data)

    async def order(self, node: str, data: bytes) -> bool:
        """Send to one process; Redis knows whether it listens."""
        return bool(await self._say(self._key("node", node), FORM + data))

    async def presence_put(self, channel: str, leases: Mapping[str, bytes], ttl_s: float) -> None:
        """Add or renew leases."""
        flat = [part for lease in leases.items() for part in lease]
        await self._run(scripts.PRESENCE_PUT, self._presence_keys(channel), [ttl_s, *flat])

    async def presence_remove(self, channel: str, client: str) -> None:
        """Give a lease back."""
        await self._run(scripts.PRESENCE_REMOVE, self._presence_keys(channel), [client])

    async def presence(self, channel: str) -> dict[str, bytes]:
        """Return the living leases."""
        flat = await self._run(scripts.PRESENCE, self._presence_keys(channel), [])
        return {c.decode(): info for c, info in zip(flat[::2], flat[1::2], strict=True)}

    async def presence_park(self, channel: str, client: str, user: str, grace_s: float) -> None:
        """Note that this client may come back as another one of the same user for a while."""
        keys = self._parking_keys(channel, user)
        await self._run(scripts.PRESENCE_PARK, keys, [client, int(grace_s * 1000)])

    async def presence_claim(self, channel: str, user: str) -> bool:
        """Take over one parked lease of the user."""
        return bool(await self._run(scripts.PRESENCE_CLAIM, self._parking_keys(channel, user), []))

    async def presence_unpark(self, channel: str, client: str, user: str) -> bool:
        """End a parked lease, unless it was claimed."""
        keys = self._parking_keys(channel, user)
        return bool(await self._run(scripts.PRESENCE_UNPARK, keys, [client]))

    # -- inside ------------------------------------------------------------------------------

    def _key(self, kind: str, channel: str) -> str:
        """Keys of one channel share a hash tag, so that a script finds them on one shard."""
        return f"{self._options.prefix}.{kind}." + (f"{{{channel}}}" if channel else "")

    def _stream_keys(self, channel: str) -> list[str]:
        return [self._key("s", channel), self._key("m", channel)]

    def _presence_keys(self, channel: str) -> list[str]:
        return [self._key("l", channel), self._key("i", channel)]

    def _parking_keys(self, channel: str, user: str) -> list[str]:
        return [*self._presence_keys(channel), f"{self._key('g', channel)}.{user}"]

    def _once(self, channel: str, key: str) -> str:
        return f"{self._key('k', channel)}.{key}"

    async def _say(self, name: str, payload: bytes) -> int:
        """Publish; returns how many heard it, in a cluster those of that shard."""
        verb = self._layout.publish
        return int(await self._layout.on(name, lambda shard: shard.call(verb, name, payload)))

    async def _run(self, script: Script, keys: list[str], args: list[Any]) -> Any:
        return await self._layout.on(keys[0], lambda shard: shard.run(script, keys, args))


def _new_epoch() -> str:
    return secrets.token_hex(4)


def _of_stream(place: bytes, fields: list[bytes]) -> Publication:
    return Publication(fields[1], int(place.partition(b"-")[0]), info=fields[3])
