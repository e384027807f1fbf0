"""The broker over Redis or Valkey; the only place of the library that knows redis-py."""

from realtime.broker_redis.broker import RedisBroker
from realtime.broker_redis.options import RedisOptions

__all__ = ["RedisBroker", "RedisOptions"]
