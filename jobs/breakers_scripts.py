"""The circuit breaker's state in Redis, and the scripts that alone change it: changes when its rules do.

One hash for each circuit. Closed: nothing, or `failures` in a row; it expires with the window. Open: `until`, and
while a probe is under way its token `probe` and `leased_until`. Times are Redis's, in milliseconds. A circuit that
nobody asked about for an hour is forgotten and so closed.

Every script answers with two numbers: a code, and failures when closed, else for how many milliseconds calls are
refused. While a probe is under way that is a second at most, for it may succeed at any moment.
"""

CLOSED, OPEN, PROBE, OPENED = range(4)
"""OPENED: open, and it was this very call that made it so."""

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

ADMIT = (
    _NOW
    + """
local state = redis.call('HMGET', KEYS[1], 'until', 'leased_until', 'failures')
if not state[1] then return {0, tonumber(state[3] or 0)} end
local wait = tonumber(state[1]) - now
if wait > 0 then return {1, wait} end
local leased = tonumber(state[2] or 0) - now
if leased > 0 then return {1, math.min(leased, 1000)} end
redis.call('HSET', KEYS[1], 'probe', ARGV[1], 'leased_until', now + ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2] + 3600000)
return {2, 0}
"""
)
"""May a call go through? Arguments: a token, should it become the probe, and the probe's lease."""

FAILED = (
    _NOW
    + """
local state = redis.call('HMGET', KEYS[1], 'until', 'probe')
if not state[1] then
    local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
    if failures == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
    if failures < tonumber(ARGV[2]) then return {0, failures} end
elseif state[2] ~= ARGV[1] then
    return {1, math.max(tonumber(state[1]) - now, 1)}
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'until', now + ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[4] + 3600000)
return {3, tonumber(ARGV[4])}
"""
)
"""A call failed. Arguments: the probe's token or nothing, how many failures open, the window, how long it is open.

What began before the circuit opened and fails later says nothing new: only the probe opens it again.
"""

SUCCEEDED = """
local state = redis.call('HMGET', KEYS[1], 'until', 'probe')
if not state[1] or state[2] == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {0, 0}
"""
"""A call succeeded: failures before it are forgotten; the probe's success closes. Argument: its token or nothing."""

RELEASED = """
if redis.call('HGET', KEYS[1], 'probe') == ARGV[1] then redis.call('HDEL', KEYS[1], 'probe', 'leased_until') end
return {0, 0}
"""
"""The probe ended without saying anything: the next call is the probe. Argument: its token."""
