-- What instances have received about one instrument: the newer value wins, and nothing that was asked for before an
-- invalidation is kept after it.
--
-- KEYS: 1 the instrument's hash. ARGV: 1 what to do, then its arguments. Times are microseconds.
local key, op = KEYS[1], ARGV[1]
local function int(number) return string.format('%.0f', number) end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local fence = redis.call('HGET', key, 'fence') or '0'
-- Longer than anything is under way, so that a fence is not forgotten before those who know it.
local KEEP_MS = 600000
local MOST = 64

if op == 'find' then
  local value = redis.call('HGET', key, 'v:' .. ARGV[2])
  if not value or tonumber(redis.call('HGET', key, 'u:' .. ARGV[2])) <= now then return { fence, '0', '' } end
  return { fence, int(now - tonumber(redis.call('HGET', key, 'r:' .. ARGV[2]))), value }
end

if op == 'keep' then
  local question, asked, event, ago, keep = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
  if asked ~= fence then return { fence, '0', '' } end
  local known = tonumber(redis.call('HGET', key, 'e:' .. question) or '')
  local still = tonumber(redis.call('HGET', key, 'u:' .. question) or '0') > now
  if known and still and known > event then return { fence, '0', '' } end
  if redis.call('HLEN', key) > 4 * MOST then
    redis.call('DEL', key)
    redis.call('HSET', key, 'fence', fence)
  end
  redis.call('HSET', key, 'v:' .. question, ARGV[7], 'e:' .. question, int(event), 'r:' .. question, int(now - ago),
    'u:' .. question, int(now + keep), 'fence', fence)
  redis.call('PEXPIRE', key, KEEP_MS)
  return { fence, '1', '' }
end

-- The fence is the time, so that one that was lost with its hash never comes again.
redis.call('DEL', key)
redis.call('HSET', key, 'fence', int(now))
redis.call('PEXPIRE', key, KEEP_MS)
redis.call('PUBLISH', ARGV[2], ARGV[3])
return { int(now), '1', '' }
