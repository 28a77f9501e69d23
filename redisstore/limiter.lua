-- One visit of one process to a quota: it tells what became of its slots, and asks for new ones.
--
-- KEYS[1] is a sorted set. Each member is a slot that counts; its score (ms of Redis' clock) is when its request was
-- answered or, until that is told, the latest time at which it can be. A slot is free again one window after its score.
-- Every command may be run twice without harm: the client repeats a script whose answer was lost.
local slots, q = KEYS[1], cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local longest = q.rules[#q.rules].window

redis.call('ZREMRANGEBYSCORE', slots, '-inf', now - longest)

-- Redis does not know everything that was sent if the witness, a slot that must still be here, is gone (by a restart or a
-- failover). This visit may be the one that tells of its answer, so it is looked for first.
local witness, since = q.witness, 0 -- since: when somebody must have seen to it
if witness and now < witness.at + longest and not redis.call('ZSCORE', slots, witness.id) then
  since = witness.at
end

-- Slots that Redis learns of only now were among those that it took for used, further below, at the time seen.
local seen = tonumber(redis.call('ZSCORE', slots, 'lost:1') or 0)
local surplus = 0
for id, age in pairs(q.answered) do
  if redis.call('ZADD', slots, now - age, id) == 1 and now - age <= seen then
    surplus = surplus + 1
  end
end
if surplus > 0 then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', slots, seen, seen)) do
    local i = tonumber(string.match(id, '^lost:(%d+)$'))
    if surplus > 0 and i and i > q.rules[1].limit then
      surplus = surplus - redis.call('ZREM', slots, id)
    end
  end
end
for _, id in ipairs(q.unused) do
  redis.call('ZREM', slots, id)
end

-- Nor does it if processes have been on their own for longer than a window. Then as many slots count from now on as may
-- have been used. Whoever comes later sees that somebody has seen to it.
if q.alone then
  since = math.max(since, now - q.settle)
end
if since > 0 and seen <= since then
  for i = 1, math.max(q.rules[1].limit, q.used - redis.call('ZCARD', slots)) do
    redis.call('ZADD', slots, now, 'lost:' .. i)
  end
end

local left = q.rules[1].limit
for _, rule in ipairs(q.rules) do
  left = math.min(left, rule.limit - redis.call('ZCOUNT', slots, '(' .. now - rule.window, '+inf'))
end

-- Nobody leases more than a tenth of what is left ahead of its need.
local wanted = q.waiting + math.max(0, math.min(q.ahead, math.floor((left - q.waiting) / 10)))
local granted = 0
while granted < wanted do
  local id = q.process .. ':' .. q.first + granted
  if not redis.call('ZSCORE', slots, id) then -- else a lost answer has granted it already
    if left <= 0 then
      break
    end
    left = left - 1
  end
  redis.call('ZADD', slots, now + q.lease, id)
  granted = granted + 1
end

-- wait is how long (ms) the request in that position has to wait at least: if all requests in flight were answered now,
-- and nobody else asked.
local function wait(position)
  local longest_wait = 0
  for _, rule in ipairs(q.rules) do
    local round, place = math.floor((position - 1) / rule.limit), (position - 1) % rule.limit
    local rank = rule.limit - 1 - place
    local slot = redis.call('ZREVRANGE', slots, rank, rank, 'WITHSCORES')
    local this = round * rule.window
    if slot[2] then
      this = this + math.max(0, math.min(tonumber(slot[2]), now) + rule.window - now)
    end
    longest_wait = math.max(longest_wait, this)
  end
  return longest_wait
end

local waits = {}
for i, position in ipairs(q.positions) do
  waits[i] = position > granted and wait(position - granted) or 0
end

redis.call('PEXPIRE', slots, q.lease + longest)
return cjson.encode({
  now = now,
  granted = granted,
  used = redis.call('ZCARD', slots),
  next = wait(1),
  waits = #waits > 0 and waits or nil, -- an empty table would become an object
})
