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

local room = {} -- of each rule
local left, common = math.huge, math.huge -- common: of what is left, those that are not in a reserve
for i, rule in ipairs(q.rules) do
  room[i] = rule.limit - redis.call('ZCOUNT', slots, '(' .. now - rule.window, '+inf')
  left, common = math.min(left, room[i]), math.min(common, room[i] - rule.reserve)
end

-- The first slots are for the interactive requests; they alone may take of the reserve. Nobody leases more than a tenth of
-- what is left ahead of its need.
local wanted = q.waiting + math.max(0, math.min(q.ahead, math.floor((common - q.waiting) / 10)))
local granted, reserved = 0, 0
while granted < wanted do
  local id = q.process .. ':' .. q.first + granted
  if not redis.call('ZSCORE', slots, id) then -- else a lost answer has granted it already
    if left <= 0 or (common <= 0 and granted >= q.interactive) then
      break
    end
    left, common = left - 1, common - 1
    for i in ipairs(room) do
      room[i] = room[i] - 1
    end
  end
  redis.call('ZADD', slots, now + q.lease, id)
  granted = granted + 1
  if common < 0 then
    reserved = reserved + 1
  end
end

-- wait is how long (ms) the request in that position has to wait at least: if all requests in flight were answered now,
-- and nobody else asked. A request goes a window after the one that is its limit before it; that one may wait too.
local interactive = math.max(0, q.interactive - granted)
local function wait(position)
  local longest_wait = 0
  for _, rule in ipairs(q.rules) do
    local place, windows, limit = position, 0, rule.limit
    local function go_back(last)
      local n = math.max(0, math.ceil((place - last) / limit))
      place, windows = place - n * limit, windows + n
    end
    if position > interactive then
      limit = rule.limit - rule.reserve
      go_back(math.max(limit, interactive))
    end
    if place <= interactive then
      limit = rule.limit
      go_back(limit)
    end
    local slot = redis.call('ZREVRANGE', slots, limit - place, limit - place, 'WITHSCORES')
    local this = windows * rule.window
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

local ages = {}
if q.ages then
  local scores = redis.call('ZRANGE', slots, 0, -1, 'WITHSCORES')
  for i = 2, #scores, 2 do
    ages[i / 2] = math.max(0, now - scores[i])
  end
end

-- The key expires when no slot counts any more, and no sooner for a process that has shorter leases or only looks.
local latest = redis.call('ZREVRANGE', slots, 0, 0, 'WITHSCORES')[2]
if latest then
  redis.call('PEXPIRE', slots, math.max(redis.call('PTTL', slots), latest + longest - now))
end
return cjson.encode({
  now = now,
  granted = granted,
  reserved = reserved, -- of those granted, the last ones
  used = redis.call('ZCARD', slots),
  next = wait(1),
  left = room,
  waits = #waits > 0 and waits or nil, -- an empty table would become an object
  ages = #ages > 0 and ages or nil,
})
