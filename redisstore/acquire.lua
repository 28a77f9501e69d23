-- Grants a permit if one is free. Running it twice grants the same permit.
-- KEYS[1] is a sorted set of permits. A score is the time (ms of Redis' clock) at which the request was
-- answered or, until Redis is told, the end of its lease. A permit counts until one window after its score.
-- KEYS[2] is a sorted set of processes by their latest grants, and 'lost' by when lost permits were added.
-- It returns when it last granted something to the process, how many permits count in the longest window,
-- how long (ms) the process must wait (0: it is granted a permit), and how many permits each rule has left.
local permits, grants, process, id = KEYS[1], KEYS[2], ARGV[1], ARGV[2] -- id is empty to only look
local n = {}
for i = 3, #ARGV do n[i - 2] = tonumber(ARGV[i]) end
-- kept: permits of the longest window that are not for this call. lease: ms. last: when Redis last granted
-- something to this process. used: permits that may count in the longest window, as far as this process
-- knows. away: 1 if it did without Redis. Then come pairs of a limit and a window (ms), the shortest first.
local kept, lease, last, used, away, shortest, window = unpack(n)
local longest = n[#n]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

redis.call('ZREMRANGEBYSCORE', permits, '-inf', now - longest)
redis.call('ZREMRANGEBYSCORE', grants, '-inf', now - longest)
-- What lasts longer than the lease in its id was written before the clock was set back.
for _, early in ipairs(redis.call('ZRANGEBYSCORE', permits, '(' .. now + lease, '+inf')) do
  redis.call('ZADD', permits, 'LT', now + (string.match(early, '%-(%d+):') or 0), early)
end
redis.call('ZADD', grants, 'XX', 'LT', now, 'lost')

local missing, at, cause = 0, now, now -- permits to be added for requests that Redis may not know of
if now < last + longest and tonumber(redis.call('ZSCORE', grants, process) or 0) < last then -- a loss
  local since = last < now and last or now - window -- the latter if the clock was set back
  if tonumber(redis.call('ZSCORE', grants, 'lost') or 0) <= since then
    missing = math.max(shortest, used - redis.call('ZCARD', permits))
    redis.call('ZADD', grants, now, 'lost')
  end
  last = now
elseif away == 1 then -- the others may have used their shares, unless Redis has granted something lately
  local latest = redis.call('ZREVRANGE', grants, 0, 0, 'WITHSCORES')[2]
  if not latest or tonumber(latest) <= now - window then
    missing, last = shortest, now
  end
elseif now >= last + longest then -- it can't miss anything. What came before Redis started may be lost
  local info = redis.pcall('INFO', 'server')
  local uptime = type(info) == 'string' and string.match(info, 'uptime_in_seconds:(%d+)')
  local started = uptime and (clock[1] - uptime + 1) * 1000 or 0
  if started > now - window then
    missing, at, cause = shortest, started, string.match(info, 'run_id:(%x+)') -- so they are added once
  end
end
for i = 1, missing do redis.call('ZADD', permits, at, 'lost:' .. cause .. ':' .. i) end

local left, wait = {}, 0 -- wait: if all requests under way were answered now
for i = 6, #n, 2 do
  table.insert(left, n[i] - redis.call('ZCOUNT', permits, '(' .. now - n[i + 1], '+inf'))
  local index = n[i] - (i == #n - 1 and kept or 0) - 1
  local nth = redis.call('ZREVRANGE', permits, index, index, 'WITHSCORES')[2]
  wait = math.max(wait, nth and math.min(tonumber(nth), now) + n[i + 1] - now or 0)
end
if id ~= '' and (wait == 0 or redis.call('ZSCORE', permits, id)) then -- the latter if an answer was lost
  redis.call('ZADD', permits, now + lease, id)
  last, wait = now, 0
end
if last == now then redis.call('ZADD', grants, 'GT', now, process) end
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, math.max(redis.call('PTTL', key), longest + lease))
end
return {last, redis.call('ZCARD', permits), wait, unpack(left)}
