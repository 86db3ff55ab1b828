-- One account's permits, common to all instances: every window or none, by this server's own time.
--
-- KEYS: 1 state, a hash; 2 members, a hash of instance and when it was last seen; 3 tickets, the grants that can
-- still be given back; then one log, a sorted set of `id#cost` by time, for each sliding window.
-- ARGV: 1 what is asked, as JSON. Times and lengths are microseconds; times of day are since 1970.
-- Returns verdict, wait, cause, index of the window that binds, now, epoch, how long the vendor told us to wait,
-- then what is used of each window.
local STALE, CROWDED, CALENDAR, SEEN, GRANTED, REFUSED = 'stale', 'crowded', 'calendar', 'seen', 'granted', 'refused'
local SPENT, PACED, TOLD, UNKNOWN = 'spent', 'paced', 'told', 'unknown'
local LEAST_FACTOR, RECOVERY = 0.05, 0.05
local KEEP_MS = 40 * 86400 * 1000
-- A grant this old is never given back any more.
local TICKETS_US = 60 * 1000000

local ask = cjson.decode(ARGV[1])
local state, members, tickets = KEYS[1], KEYS[2], KEYS[3]

-- `tostring` would round what has sixteen digits.
local function int(number) return string.format('%.0f', number) end
local function get(name) return tonumber(redis.call('HGET', state, name)) end
local function set(name, number) redis.call('HSET', state, name, int(number)) end

local time = redis.call('TIME')
local now = math.max(time[1] * 1000000 + time[2], get('latest') or 0)
local live = 0

-- The period of a calendar window that contains a time: its start and its end.
local function period(window, at)
  for index = 1, #window.edges - 1 do
    if window.edges[index] <= at and at < window.edges[index + 1] then
      return window.edges[index], window.edges[index + 1]
    end
  end
end

local function used(window)
  if window.length then return get('held:' .. window.name) or 0 end
  local start = period(window, now)
  return start and get('c:' .. window.name .. ':' .. int(start)) or 0
end

local function answer(verdict, wait, cause, binding)
  local told = math.max(0, (get('blocked') or 0) - now)
  local epoch = redis.call('HGET', state, 'epoch') or ''
  local said = { verdict, int(wait or 0), cause or '', int(binding or 1), int(now), epoch, int(told) }
  for _, window in ipairs(ask.windows) do said[#said + 1] = int(used(window)) end
  return said
end

if ask.op == 'leave' then
  redis.call('HDEL', members, ask.member)
  return answer(SEEN)
end

-- Whoever has not heard from us lately may have gone on alone: it must first know that it is heard again. So a
-- message that was long under way brings nobody back.
if ask.heard == 0 or math.abs(now - ask.heard) > ask.silence then return answer(STALE) end

local factor = tonumber(redis.call('HGET', state, 'factor') or '') or 1

-- What a cost takes of a window.
local function part(window, cost) return window.money and cost.micros or cost.units end

-- Count, span, spacing and capacity of a sliding window while only a part of its rate is used. Money is neither
-- paced nor slowed down.
local function rate(window)
  if window.money then return window.count, window.length + window.margin, 0, 1 end
  local count, length = window.count, window.length
  if factor < 1 and count > 0 then
    local allowed = count * factor
    count = math.min(count, math.max(1, math.floor(allowed)))
    length = length * math.max(1, 1 / allowed)
  end
  local capacity = window.capacity
  if capacity == 0 then capacity = math.max(2, math.ceil(count / 10)) end
  capacity = math.max(1, math.min(capacity, math.max(count, 1)))
  return count, length + window.margin, length / math.max(count, 1), capacity
end

local function lost() set('lost', now) end

-- The epoch: who remembers another one has seen grants that are forgotten here.
local epoch = redis.call('HGET', state, 'epoch')
if not epoch then
  redis.call('HSET', state, 'epoch', ask.fresh)
  -- Those who remember grants have this long to say so.
  if ask.epoch == '' then set('shut', now + 2 * ask.silence) else lost() end
elseif ask.epoch ~= '' and ask.epoch ~= epoch and not get('lost') then
  lost()
end
set('latest', now)
redis.call('PEXPIRE', state, KEEP_MS)

local function cost_of(entry) return tonumber(string.match(entry, '#(%d+)$')) end

-- Drops what has left a log, and sees that nothing else has.
local function prune(window)
  local key, name = KEYS[window.log], window.name
  local _, span = rate(window)
  local known, held = get('n:' .. name) or 0, get('held:' .. name) or 0
  local there = redis.call('ZCARD', key)
  if there ~= known then
    if now - (get('last:' .. name) or 0) <= span then lost() end
    redis.call('DEL', key)
    known, held = 0, 0
  end
  local gone = redis.call('ZRANGEBYSCORE', key, '-inf', int(now - span))
  for _, entry in ipairs(gone) do held = held - cost_of(entry) end
  if #gone > 0 then redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now - span)) end
  set('n:' .. name, known - #gone)
  set('held:' .. name, held)
  return held
end

local function log(window, id, cost, at)
  if cost == 0 then return end
  local key, name = KEYS[window.log], window.name
  local _, span = rate(window)
  redis.call('ZADD', key, int(at), id .. '#' .. int(cost))
  redis.call('PEXPIRE', key, int(math.ceil(2 * span / 1000) + 60000))
  set('n:' .. name, (get('n:' .. name) or 0) + 1)
  set('held:' .. name, (get('held:' .. name) or 0) + cost)
  set('last:' .. name, math.max(at, get('last:' .. name) or 0))
end

-- A grant near a boundary is charged on both sides of it.
local function charged(window, at)
  local early, early_end = period(window, at - ask.edge)
  local late, late_end = period(window, at + ask.edge)
  if early == late then return { { early, early_end } } end
  return { { early, early_end }, { late, late_end } }
end

local function charge(window, cost, at)
  for _, one in ipairs(charged(window, at)) do
    redis.call('HINCRBY', state, 'c:' .. window.name .. ':' .. int(one[1]), int(cost))
  end
  redis.call('HDEL', state, 'c:' .. window.name .. ':' .. int(window.edges[1]))
end

for _, window in ipairs(ask.windows) do
  if window.edges then
    -- The first period is there to be forgotten.
    local first, last = window.edges[2], window.edges[#window.edges]
    if now - ask.edge < first or now + ask.edge >= last then return answer(CALENDAR) end
  end
end

-- Who is there. Every place that is not seen here may be spending its share alone.
local present = false
local seen = redis.call('HGETALL', members)
for index = 1, #seen, 2 do
  if now - tonumber(seen[index + 1]) > ask.silence then
    redis.call('HDEL', members, seen[index])
  elseif seen[index] == ask.member then
    present = true
  else
    live = live + 1
  end
end
if not present and live >= ask.slots then return answer(CROWDED) end
live = live + 1
redis.call('HSET', members, ask.member, int(now))
redis.call('PEXPIRE', members, int(math.ceil(ask.silence / 100)))

for index, window in ipairs(ask.windows) do
  if window.length then
    -- What is under way longer than the margin covers may arrive as late as now.
    for _, flight in ipairs(ask.flights) do
      local entry = flight.id .. '#' .. int(part(window, flight.cost))
      local at = redis.call('ZSCORE', KEYS[window.log], entry)
      if at and tonumber(at) < now - window.margin then
        redis.call('ZADD', KEYS[window.log], int(now - window.margin), entry)
        set('last:' .. window.name, now)
      end
    end
    prune(window)
  end
  local own = ask.own[index] or 0
  if not present and own > 0 then
    if window.length then log(window, ask.id .. '+', own, now) else charge(window, own, now) end
  end
end

local function room(window, count)
  return count - math.floor(window.count / ask.slots) * math.max(0, ask.slots - live)
end

if ask.op == 'back' then
  if redis.call('ZREM', tickets, ask.ticket) == 0 then return answer(SEEN) end
  for _, window in ipairs(ask.windows) do
    local cost = part(window, ask.cost)
    if window.length then
      local name = window.name
      if redis.call('ZREM', KEYS[window.log], ask.ticket .. '#' .. int(cost)) == 1 then
        local _, _, spacing = rate(window)
        set('n:' .. name, (get('n:' .. name) or 0) - 1)
        set('held:' .. name, (get('held:' .. name) or 0) - cost)
        set('full:' .. name, (get('full:' .. name) or 0) - spacing * cost)
      end
    elseif cost > 0 then
      for _, one in ipairs(charged(window, ask.at)) do
        if one[1] then redis.call('HINCRBY', state, 'c:' .. window.name .. ':' .. int(one[1]), int(-cost)) end
      end
    end
  end
  return answer(SEEN)
end

if ask.op == 'tell' then
  if ask.block > 0 then set('blocked', math.max(now + ask.block, get('blocked') or 0)) end
  if ask.halve then
    local shortest = 60 * 1000000
    for _, window in ipairs(ask.windows) do
      if window.length and not window.money then shortest = math.min(shortest, window.length) end
    end
    if factor == 1 or now - (get('factor_at') or 0) >= shortest then
      redis.call('HSET', state, 'factor', string.format('%.6f', math.max(factor / 2, LEAST_FACTOR)))
      set('factor_at', now)
    end
  end
  local window = ask.windows[ask.spent]
  if window then
    -- The lower of the vendor's count and ours holds.
    if window.length then
      local count, span = rate(window)
      local missing = count - get('held:' .. window.name) - ask.left
      local at = now
      if ask.resets > 0 then at = math.min(now, now + ask.resets - span) end
      if missing > 0 then log(window, ask.id, missing, at) end
    else
      local start = period(window, now)
      local missing = window.count - (get('c:' .. window.name .. ':' .. int(start)) or 0) - ask.left
      if missing > 0 then
        redis.call('HINCRBY', state, 'c:' .. window.name .. ':' .. int(start), int(missing))
      end
    end
  end
  return answer(SEEN)
end

if ask.op ~= 'take' then return answer(SEEN) end

-- All windows or none: first every one is asked, then every one is charged.
local wait, cause, binding, never = 0, '', 1, false
local function hold(until_, why, index)
  if until_ - now > wait then wait, cause, binding = until_ - now, why, index end
end
hold(get('blocked') or 0, TOLD, 1)
hold(get('shut') or 0, UNKNOWN, 1)
local forgot = get('lost')
for place, window in ipairs(ask.windows) do
  local cost = part(window, ask.cost)
  if window.money and cost == 0 then
    -- What is free always fits.
  elseif window.length then
    local count, span, spacing, capacity = rate(window)
    if forgot then hold(forgot + span, UNKNOWN, place) end
    if cost > count then never = true end
    local need = get('held:' .. window.name) + cost - room(window, count)
    if cost > room(window, count) then
      hold(now + ask.silence, SPENT, place)
    elseif need > 0 then
      local from = 0
      while need > 0 do
        local oldest = redis.call('ZRANGE', KEYS[window.log], from, from + 31, 'WITHSCORES')
        if #oldest == 0 then break end
        for index = 1, #oldest, 2 do
          if need > 0 then
            need = need - cost_of(oldest[index])
            hold(tonumber(oldest[index + 1]) + span, SPENT, place)
          end
        end
        from = from + 32
      end
      hold(now + 1, SPENT, place)
    end
    hold((get('full:' .. window.name) or 0) - spacing * math.max(0, capacity - cost), PACED, place)
  else
    if cost > window.count then never = true end
    for _, one in ipairs(charged(window, now)) do
      local used = get('c:' .. window.name .. ':' .. int(one[1])) or 0
      if used + cost > room(window, window.count) or (forgot and forgot >= one[1]) then
        hold(one[2] + ask.edge, SPENT, place)
      end
    end
  end
end
if never then return answer(REFUSED, -1, SPENT, binding) end
if wait > 0 then return answer(REFUSED, wait, cause, binding) end

local longest = 0
for _, window in ipairs(ask.windows) do
  local cost = part(window, ask.cost)
  if window.length then
    local _, _, spacing = rate(window)
    if not window.money then longest = math.max(longest, window.length) end
    log(window, ask.id, cost, now)
    set('full:' .. window.name, math.max(get('full:' .. window.name) or 0, now) + spacing * cost)
  else
    charge(window, cost, now)
  end
end
redis.call('ZREMRANGEBYSCORE', tickets, '-inf', int(now - TICKETS_US))
redis.call('ZADD', tickets, int(now), ask.id)
redis.call('PEXPIRE', tickets, int(TICKETS_US / 1000))
if longest == 0 then longest = 60 * 1000000 end
if factor < 1 and now - (get('factor_at') or 0) >= longest then
  redis.call('HSET', state, 'factor', string.format('%.6f', math.min(1, factor + RECOVERY)))
  set('factor_at', now)
end
return answer(GRANTED)
