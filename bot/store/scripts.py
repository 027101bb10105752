"""Define the Lua scripts that Redis runs as one step each.

They know versions, keys and names, but no states and no rules. Each begins with `#!lua`. The
server then refuses the whole script when it may not write (OOM, READONLY, MISCONF, NOREPLICAS).
Source: Redis documentation, "Scripting with Lua", script flags.
"""

from __future__ import annotations

# Write all or nothing: check all versions and names before the first write.
#
# KEYS     every key of the plan, which names a key by its position here, counted from 1
# ARGV[1]  the plan as JSON:
#            mark    the key that says that this commit was written
#            expect  [{key, name, version}]  the version that must be stored (0: nothing)
#            give    [{key, holder}]         locks to free, if `holder` has them
#            take    [{key, name, holder}]   locks that must be free, or freed by this commit
#            usage   {own, all, refused, most, most_all, free}  counters and limits, or none
#            audit   {counter, stream, fields}  the entry, which gets the next number, or none
#            write   [{command, key, args}]  what is then written, in this order
# ARGV[2]  how long the mark is kept, in seconds (after a rate limit: one minute)
# ARGV[3]  how long a counter is kept after its last increase, in seconds
# returns  {"written"}, {"conflict", name}, {"held", name, holder} or
#          {"over", "person" or "all", number of refusals}
#
# A commit that finds its own mark was sent twice, because its answer was lost. The mark holds that
# answer. The commit counts as written, although the value may have changed since.
COMMIT = """#!lua
local plan = cjson.decode(ARGV[1])

local function up(key)
  local number = redis.call('INCR', KEYS[key])
  redis.call('EXPIRE', KEYS[key], ARGV[3])
  return number
end

local function marked(outcome, seconds)
  redis.call('SET', KEYS[plan.mark], cjson.encode(outcome), 'EX', seconds)
  return outcome
end

local answered = redis.call('GET', KEYS[plan.mark])
if answered then
  return cjson.decode(answered)
end

for _, expected in ipairs(plan.expect) do
  local stored = redis.call('GET', KEYS[expected.key])
  local version = stored and cjson.decode(stored).version or 0
  if version ~= expected.version then
    return {'conflict', expected.name}
  end
end

local given = {}
for _, give in ipairs(plan.give) do
  if redis.call('GET', KEYS[give.key]) == give.holder then
    given[give.key] = true
  end
end
local taken = {}
for _, take in ipairs(plan.take) do
  local holder = taken[take.key] or not given[take.key] and redis.call('GET', KEYS[take.key])
  if holder then
    return {'held', take.name, holder}
  end
  taken[take.key] = take.holder
end

local usage = plan.usage
local own, all
if usage then
  own = tonumber(redis.call('GET', KEYS[usage.own]) or 0)
  all = tonumber(redis.call('GET', KEYS[usage.all]) or 0)
  local over = own >= usage.most and 'person' or usage.most_all and all >= usage.most_all and 'all'
  if over and not usage.free then
    return marked({'over', over, up(usage.refused)}, 60)
  end
end

-- First, because an ACL is checked at each call: nothing may be stored without its entry.
if plan.audit then
  local number = tonumber(redis.call('GET', KEYS[plan.audit.counter]) or 0) + 1
  redis.call('XADD', KEYS[plan.audit.stream], '*', 'number', number, unpack(plan.audit.fields))
  redis.call('INCR', KEYS[plan.audit.counter])
end
if usage then
  up(usage.own)
  if own < usage.most then
    up(usage.all)
  end
end
for key in pairs(given) do
  redis.call('DEL', KEYS[key])
end
for key, holder in pairs(taken) do
  redis.call('SET', KEYS[key], holder)
end
for _, write in ipairs(plan.write) do
  redis.call(write.command, KEYS[write.key], unpack(write.args))
end
return marked({'written'}, ARGV[2])
"""

# Remove a render mark, unless the value has changed since it was rendered.
#
# KEYS     the value, the render marks
# ARGV     the value's name, the rendered version
# returns  1, or 0 when another version is stored
MARK_RENDERED = """#!lua
local stored = redis.call('GET', KEYS[1])
if stored and cjson.decode(stored).version ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
"""

# Remove a render mark, unless its time has changed.
#
# KEYS     the render marks
# ARGV     the name, that time in milliseconds
# returns  1, or 0 when another time is set
CLEAR_RENDER_MARK = """#!lua
local at = redis.call('ZSCORE', KEYS[1], ARGV[1])
if at and tonumber(at) ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
return 1
"""

# Reschedule a name, never to an earlier time: a commit may have set a later one meanwhile.
#
# KEYS     the next runs, the counts of rescheduling
# ARGV     the name, its new time in milliseconds
# returns  how often it was rescheduled since its last commit, or 0 if it has no next run
RESCHEDULE = """#!lua
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
redis.call('ZADD', KEYS[1], 'XX', 'GT', ARGV[2], ARGV[1])
return redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
"""

# Release a lock, if it belongs to this token.
#
# KEYS     the lock
# ARGV     the token
# returns  1, or 0 when it is free or belongs to another token
RELEASE_LOCK = """#!lua
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
"""

# Write a seal over the audit entries since the newest seal, unless there is another by now.
#
# KEYS     the stream, the newest seal's value and stream ID
# ARGV     the value that must be the newest, the new value, the last sealed entry's stream ID,
#          the seal's fields
# returns  1, or 0 when the newest seal is another (or this one: its answer was lost)
SEAL = """#!lua
if (redis.call('HGET', KEYS[2], 'seal') or '') ~= ARGV[1] then
  return 0
end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 4))
redis.call('HSET', KEYS[2], 'seal', ARGV[2], 'place', ARGV[3])
return 1
"""

# Move a reader's cursor, unless another process has moved it.
#
# KEYS     the cursors
# ARGV     the reader, the stream ID its cursor must have ('': none), the new one
# returns  1 or 0
MOVE_CURSOR = """#!lua
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""

# Take a free lock, or renew one that belongs to this token.
#
# KEYS     the lock
# ARGV     the token, the duration in seconds
# returns  1, or 0 when it belongs to another token
ACQUIRE_LEADERSHIP = """#!lua
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
