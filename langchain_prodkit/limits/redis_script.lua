-- One limit for many processes: two buckets, a hold and a pace, in one hash.
--
-- KEYS[1] is the hash, KEYS[2] the processes and when each was last seen, KEYS[3] what each of them has
-- booked that may not have reached the provider; all lie in one slot.
-- ARGV[1] is `Ask` as JSON, the answer is `Answer` as JSON; both are described in redis_script.py.
--
-- A booking lowers its levels at once, below zero if need be, and is told how long the refill takes to
-- pay for it: its turn. So turns are first come, first served over all processes, a large request
-- cannot be overtaken for ever by small ones, and nobody has to ask again and again.

local ACTIVE_S = 30      -- a process that was not seen for longer does not count
local RECOVERY_S = 4     -- how long the pace takes from nothing to that of a limit that was told
local GROWTH_S = 20      -- the same for one that was guessed
local SLOWEST = 1 / 64
local COUNTED_S = 10     -- over what time the pace of an unknown limit is observed
local UNSURE_S = 60      -- for how long a refusal casts doubt on what was given back
local SURE = 4           -- how many readings tell whether the provider gives back
local FORGETTING = 0.95
local NAMES = { 'requests', 'tokens' }

local ask = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000

local state = {}
local stored = redis.call('HGETALL', KEYS[1])
for i = 1, #stored, 2 do
  state[stored[i]] = tonumber(stored[i + 1]) or stored[i + 1]
end
if state.told and state.told ~= ask.told then
  return cjson.encode({ conflict = state.told })
end

if not state.told then
  state = {
    told = ask.told, epoch = 'e' .. clock[1] .. '.' .. clock[2], at = now, hold = 0, shifted = 0,
    pace = 1, halved = 0, refused = 0, refusals = 0, counted = 0, counted_from = now, guessed = 0
  }
end
if now < state.at then
  -- The clock of the server was set back: what was to end in a second still does.
  local back = state.at - now
  state.hold = state.hold - back
  state.halved = state.halved - back
  state.refused = state.refused - back
  state.watched = state.watched and state.watched - back
  state.counted_from = state.counted_from - back
  state.at = now
end
local passed = now - state.at
state.at = now

-- A guessed limit may prove too low: its pace goes on rising.
local before = state.pace
state.pace = math.min(state.guessed == 1 and 1000000 or 1, before + passed / (state.guessed == 1 and GROWTH_S or RECOVERY_S))
local pace = (before + state.pace) / 2

local buckets = {}
for _, name in ipairs(NAMES) do
  local own = ask.buckets[name]
  local bucket = {
    rate = state[name .. '_rate'], capacity = state[name .. '_capacity'],
    level = state[name .. '_level'] or 0, taken = state[name .. '_taken'] or 0,
    back = state[name .. '_back'] or 0
  }
  if not bucket.rate and own then
    bucket.rate, bucket.capacity = own.rate, own.capacity
    -- How full the provider's bucket is, its answers will say: until then one goes, and the others at
    -- the rate. Who was here before knows that the server has forgotten, not that nothing was used.
    local first = ask.is_careful and ask.items[1] and ask.items[1][name] or own.capacity
    bucket.level = ask.is_known and 0 or math.min(first, own.capacity)
  end
  if bucket.rate then
    bucket.level = math.min(bucket.capacity, bucket.level + passed * bucket.rate * pace)
    if ask.is_back then
      bucket.level = math.min(bucket.level, 0)
    end
  end
  buckets[name] = bucket
end

local function give(bucket, amount)
  bucket.back = bucket.back + amount
  bucket.level = bucket.level + amount
  if bucket.capacity then
    bucket.level = math.min(bucket.capacity, bucket.level)
  end
end

local function take(bucket, amount)
  bucket.taken = bucket.taken + amount
  bucket.level = bucket.level - amount
end

-- Some providers give back the tokens that an answer did not use, some do not. What they say is left
-- tells: with every reading, how much more there was than without giving back, beside what we gave back.
local function watch(seen, note)
  local rate = buckets.tokens.rate
  if not rate or not seen.remaining or note.read <= (state.watched or 0) then
    return
  end
  if seen.remaining <= 0 or seen.reset_s == 0 then
    -- An empty bucket, or a full one, does not show what came in.
    state.watched_back = nil
    state.watched = state.watched or 0
    return
  end
  local beyond = seen.remaining - rate * note.at + note.taken.tokens
  if state.watched_back then
    local x, y = note.back.tokens - state.watched_back, beyond - state.watched_beyond
    state.xx = FORGETTING * (state.xx or 0) + x * x
    state.xy = FORGETTING * (state.xy or 0) + x * y
    state.seen = (state.seen or 0) + 1
  end
  state.watched, state.watched_back, state.watched_beyond = note.read, note.back.tokens, beyond
end

for _, note in ipairs(ask.readings) do
  if note.epoch == state.epoch and note.tokens then
    watch(note.tokens, note)
  end
end
local gives_back
if state.watched then
  gives_back = (state.seen or 0) >= SURE and state.xx > 0 and state.xy > state.xx / 2
else
  gives_back = now - state.refused > UNSURE_S
end

if ask.epoch == state.epoch then
  for _, name in ipairs(NAMES) do
    give(buckets[name], ask.given[name])
  end
  take(buckets.tokens, ask.over_tokens)
  -- Counted in any case: it is what the readings are compared with.
  buckets.tokens.back = buckets.tokens.back + ask.unused_tokens
  if gives_back then
    buckets.tokens.level = buckets.tokens.level + ask.unused_tokens
    if buckets.tokens.capacity then
      buckets.tokens.level = math.min(buckets.tokens.capacity, buckets.tokens.level)
    end
  end
end

-- The provider's word on one bucket. When it spoke is known only to lie between the turn of its request
-- and now, and what it had seen by then only to be between everything and what is under way: two
-- bounds, and a level between them stays.
local function learn(name, seen, note)
  local bucket = buckets[name]
  local told = ask.buckets[name]
  local rate = seen.per_minute and seen.per_minute / 60
  local is_ours = false
  if rate then
    local allowed = rate * (1 - ask.headroom)
    is_ours = not told or allowed <= told.rate * 1.01
    if not bucket.rate or (name == 'requests' and state.guessed == 1) then
      bucket.capacity = math.max(1, allowed * ask.burst_s)
      bucket.level = 0
      state.guessed = 0
      state.pace = math.min(1, state.pace)
    end
    bucket.rate = told and math.min(told.rate, allowed) or allowed
  end
  if not bucket.rate or not seen.remaining then
    return
  end
  local spare = 0
  if is_ours and seen.reset_s then
    local size = math.max(1, math.min(seen.remaining + seen.reset_s * rate, rate * 60))
    spare = size * ask.headroom
    bucket.capacity = math.max(1, size - spare)
  end
  local left = seen.remaining - spare - (bucket.taken - note.taken[name])
  local age = math.min(60, math.max(0, now - note.at))
  local most = left + (rate or bucket.rate) * age
  if gives_back then
    most = most + bucket.back - note.back[name]
  end
  local least = left + (rate or bucket.rate) * math.max(0, now - note.read) - note.unsent[name]
  bucket.level = math.min(bucket.level, most)
  if is_ours and least > bucket.level and note.at > state.refused then
    bucket.level = math.min(least, bucket.capacity)
  end
end

for _, note in ipairs(ask.readings) do
  if note.epoch == state.epoch then
    for _, name in ipairs(NAMES) do
      if note[name] then
        learn(name, note[name], note)
      end
    end
  end
end

local refused = ask.refused
if refused then
  state.refused = now
  state.refusals = state.refusals + refused.count
  if not buckets.requests.rate and not buckets.tokens.rate then
    buckets.requests.rate = math.max(0.1, state.counted / math.max(1, now - state.counted_from))
    buckets.requests.capacity = math.max(1, buckets.requests.rate * ask.burst_s)
    buckets.requests.level = 0
    state.guessed = 1
  end
  if refused.hold_s then
    local held = math.max(now, state.hold)
    local until_s = math.max(held, now + refused.hold_s)
    local longer = until_s - held
    state.hold = math.max(state.hold, now + refused.hold_s)
    -- Whoever has a turn already goes that much later; after them, one request and no herd.
    state.shifted = state.shifted + longer
    for _, name in ipairs(NAMES) do
      local bucket = buckets[name]
      if bucket.rate then
        bucket.level = math.min(
          bucket.level - longer * bucket.rate, refused[name] - (until_s - now) * bucket.rate)
      end
    end
  end
  if refused.bare_at and refused.bare_at > state.halved then
    state.halved = now
    state.pace = math.max(SLOWEST, state.pace / 2)
    for _, name in ipairs(NAMES) do
      buckets[name].level = math.min(buckets[name].level, 0)
    end
  end
end

if now - state.counted_from > COUNTED_S then
  state.counted = state.counted / 2
  state.counted_from = now - COUNTED_S / 2
end

-- How long until everything that is booked is paid for.
local function debt(more)
  local wait = math.max(0, state.hold - now)
  for _, name in ipairs(NAMES) do
    local bucket = buckets[name]
    local missing = more[name] - bucket.level
    if bucket.rate and more[name] > 0 and missing > 0.000001 then
      wait = math.max(wait, missing / (bucket.rate * state.pace))
    end
  end
  return wait
end

local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.6f', now - ACTIVE_S))
for _, process in ipairs(gone) do
  redis.call('ZREM', KEYS[2], process)
  redis.call('HDEL', KEYS[3], process)
end
local open = { requests = ask.open.requests, tokens = ask.open.tokens }
local opened = redis.call('HGETALL', KEYS[3])
for i = 1, #opened, 2 do
  if opened[i] ~= ask.process then
    local requests, tokens = string.match(opened[i + 1], '(%S+) (%S+)')
    open.requests = open.requests + requests
    open.tokens = open.tokens + tokens
  end
end

local waits = {}
local ahead = 0
local is_first = ask.is_first
for i, item in ipairs(ask.items) do
  local wait = debt(item)
  if item.within and wait > item.within then
    waits[i] = -1
  elseif wait > ask.horizon_s and not is_first then
    ahead = wait - ask.horizon_s
    break
  else
    take(buckets.requests, item.requests)
    take(buckets.tokens, item.tokens)
    ask.open.requests = ask.open.requests + item.requests
    ask.open.tokens = ask.open.tokens + item.tokens
    state.counted = state.counted + item.requests
    waits[i] = wait
    is_first = false
  end
end

local longest = math.max(0, state.hold - now)
local levels = {}
for _, name in ipairs(NAMES) do
  local bucket = buckets[name]
  for field, value in pairs(bucket) do
    state[name .. '_' .. field] = value
  end
  if bucket.rate and bucket.level < 0 then
    longest = math.max(longest, -bucket.level / (bucket.rate * state.pace))
  end
  levels[name] = bucket
end

local fields = {}
for name, value in pairs(state) do
  fields[#fields + 1] = name
  fields[#fields + 1] = type(value) == 'number' and string.format('%.17g', value) or value
end
redis.call('HSET', KEYS[1], unpack(fields))
local ttl_ms = ask.ttl_ms + math.ceil(longest * 1000)
redis.call('PEXPIRE', KEYS[1], ttl_ms)
if ask.is_leaving then
  redis.call('ZREM', KEYS[2], ask.process)
  redis.call('HDEL', KEYS[3], ask.process)
else
  redis.call('ZADD', KEYS[2], string.format('%.6f', now), ask.process)
  redis.call('HSET', KEYS[3], ask.process, string.format('%.17g %.17g', ask.open.requests, ask.open.tokens))
end
redis.call('PEXPIRE', KEYS[2], ttl_ms)
redis.call('PEXPIRE', KEYS[3], ttl_ms)

return cjson.encode({
  epoch = state.epoch, now = now, held_s = math.max(0, state.hold - now), shifted_s = state.shifted,
  paid_s = longest, pace = state.pace, processes = redis.call('ZCARD', KEYS[2]),
  refusals = state.refusals, ahead_s = ahead, open = open, buckets = levels, waits = waits
})
