"""The Lua texts of the Redis broker: each is one atomic step. Nothing here talks to Redis."""

# KEYS: stream, meta, pub/sub channel. ARGV: data, size, stream ttl, meta ttl, epoch if new.
# Without meta the stream is of another life: it is deleted, so that offset 1 can follow.
APPEND = """
local epoch = redis.call('hget', KEYS[2], 'e')
if not epoch then
    epoch = ARGV[5]
    redis.call('del', KEYS[1])
    redis.call('hset', KEYS[2], 'e', epoch)
end
local offset = string.format('%.0f', redis.call('hincrby', KEYS[2], 's', 1))
redis.call('expire', KEYS[2], ARGV[4])
redis.call('xadd', KEYS[1], 'MAXLEN', ARGV[2], offset .. '-0', 'd', ARGV[1])
redis.call('expire', KEYS[1], ARGV[3])
redis.call('publish', KEYS[3], 'p' .. offset .. ':0:' .. epoch .. ':' .. ARGV[1])
return {offset, epoch}
"""

# KEYS: stream, meta. ARGV: after, limit, meta ttl, epoch if new.
HISTORY = """
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
"""

# KEYS: leases (sorted by end), infos. ARGV: client, info, ttl in seconds.
# Redis's own clock decides, so that processes need not agree on the time.
PRESENCE_PUT = """
local now = redis.call('time')
redis.call('zadd', KEYS[1], now[1] + now[2] / 1000000 + ARGV[3], ARGV[1])
redis.call('hset', KEYS[2], ARGV[1], ARGV[2])
redis.call('expire', KEYS[1], math.ceil(ARGV[3]) + 1)
redis.call('expire', KEYS[2], math.ceil(ARGV[3]) + 1)
"""

# KEYS: leases, infos.
PRESENCE = """
local now = redis.call('time')
local border = now[1] + now[2] / 1000000
local ended = redis.call('zrangebyscore', KEYS[1], '-inf', border)
for _, client in ipairs(ended) do
    redis.call('zrem', KEYS[1], client)
    redis.call('hdel', KEYS[2], client)
end
return redis.call('hgetall', KEYS[2])
"""

# KEYS: leases, infos. ARGV: client.
PRESENCE_REMOVE = """
redis.call('zrem', KEYS[1], ARGV[1])
redis.call('hdel', KEYS[2], ARGV[1])
"""
