"""The Lua texts of the Redis broker: each is one atomic step. Nothing here talks to Redis.

All keys of one script share a hash tag, so that in a cluster it runs on one shard. The verb that
publishes is an argument: PUBLISH, or SPUBLISH in a cluster.
"""

from hashlib import sha1


class Script:
    """A Lua text and the name Redis knows it by."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()


# KEYS: stream, meta, idempotency key, pub/sub channel.
# ARGV: verb, data, info, size, stream ttl, meta ttl, epoch if new, ttl of the key or 0, form.
# Without meta the stream is of another life: it is deleted, so that offset 1 can follow.
APPEND = Script("""
if ARGV[8] ~= '0' then
    local first = redis.call('hmget', KEYS[3], 's', 'e')
    if first[1] then return first end
end
local epoch = redis.call('hget', KEYS[2], 'e')
if not epoch then
    epoch = ARGV[7]
    redis.call('del', KEYS[1])
    redis.call('hset', KEYS[2], 'e', epoch)
end
local offset = string.format('%.0f', redis.call('hincrby', KEYS[2], 's', 1))
redis.call('expire', KEYS[2], ARGV[6])
redis.call('xadd', KEYS[1], 'MAXLEN', ARGV[4], offset .. '-0', 'd', ARGV[2], 'i', ARGV[3])
redis.call('expire', KEYS[1], ARGV[5])
if ARGV[8] ~= '0' then
    redis.call('hset', KEYS[3], 's', offset, 'e', epoch)
    redis.call('expire', KEYS[3], ARGV[8])
end
redis.call(ARGV[1], KEYS[4],
    ARGV[9] .. 'p' .. offset .. ':0:' .. epoch .. ':' .. #ARGV[3] .. ':' .. ARGV[3] .. ARGV[2])
return {offset, epoch}
""")

# KEYS: idempotency key, pub/sub channel. ARGV: verb, payload, ttl of the key.
PUBLISH_ONCE = Script("""
if not redis.call('set', KEYS[1], '1', 'NX', 'EX', ARGV[3]) then return 0 end
redis.call(ARGV[1], KEYS[2], ARGV[2])
return 1
""")

# KEYS: stream, meta. ARGV: after, limit, meta ttl, epoch if new.
HISTORY = Script("""
local epoch = redis.call('hget', KEYS[2], 'e')
if not epoch then
    epoch = ARGV[4]
    redis.call('del', KEYS[1])
    redis.call('hset', KEYS[2], 'e', epoch)
end
redis.call('expire', KEYS[2], ARGV[3])
local offset = redis.call('hget', KEYS[2], 's') or '0'
local items = redis.call('xrange', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
return {offset, epoch, items}
""")

# KEYS: leases (sorted by end), infos. ARGV: ttl in seconds, then client and info, in turn.
# Redis's own clock decides, so that processes need not agree on the time.
PRESENCE_PUT = Script("""
local now = redis.call('time')
local ends_at = now[1] + now[2] / 1000000 + ARGV[1]
for i = 2, #ARGV, 2 do
    redis.call('zadd', KEYS[1], ends_at, ARGV[i])
    redis.call('hset', KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call('expire', KEYS[1], math.ceil(ARGV[1]) + 1)
redis.call('expire', KEYS[2], math.ceil(ARGV[1]) + 1)
""")

# KEYS: leases, infos.
PRESENCE = Script("""
local now = redis.call('time')
local border = now[1] + now[2] / 1000000
local ended = redis.call('zrangebyscore', KEYS[1], '-inf', border)
for _, client in ipairs(ended) do
    redis.call('zrem', KEYS[1], client)
    redis.call('hdel', KEYS[2], client)
end
return redis.call('hgetall', KEYS[2])
""")

# KEYS: leases, infos. ARGV: client.
PRESENCE_REMOVE = Script("""
redis.call('zrem', KEYS[1], ARGV[1])
redis.call('hdel', KEYS[2], ARGV[1])
""")

# KEYS: leases, infos, parked clients of one user. ARGV: client, ttl in milliseconds.
PRESENCE_PARK = Script("""
redis.call('sadd', KEYS[3], ARGV[1])
redis.call('pexpire', KEYS[3], ARGV[2])
""")

# KEYS: the same. Whoever takes the client out of the set decides what its going means.
PRESENCE_CLAIM = Script("""
local client = redis.call('spop', KEYS[3])
if not client then return 0 end
redis.call('zrem', KEYS[1], client)
redis.call('hdel', KEYS[2], client)
return 1
""")

# KEYS: the same. ARGV: client.
PRESENCE_UNPARK = Script("""
if redis.call('srem', KEYS[3], ARGV[1]) == 0 then return 0 end
redis.call('zrem', KEYS[1], ARGV[1])
redis.call('hdel', KEYS[2], ARGV[1])
return 1
""")
