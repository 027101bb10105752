"""Which steps does Redis take as one? The Lua: it knows versions, keys and names; no status word, no rule.

Each begins with `#!lua`, so the server refuses it as a whole, before its first line, when it may not write
(OOM, READONLY, MISCONF, NOREPLICAS): Redis documentation, "Scripting with Lua", script flags.
"""

from __future__ import annotations

# All or nothing: versions and names are looked at first, and nothing is written unless all of them are right.
#
# KEYS     every key that the plan touches; the plan names a key by its place here, counted from 1
# ARGV[1]  the plan as JSON:
#            mark    the key that says that this very commit was written
#            expect  [{key, name, version}]  the stored JSON must have this version; 0: nothing may be stored
#            give    [{key, holder}]         names that are freed, if `holder` still holds them
#            take    [{key, name, holder}]   names that must be free, or be freed by this commit
#            write   [{command, key, args}]  what is written then, in this order
#            usage   {own, all, refused, most, most_all, free}  keys of counters, and how far they may go; or none
#            audit   {counter, stream, fields}  the audit entry: it gets the counter's next number; or none
# ARGV[2]  how long the mark is kept, in seconds; that of a refusal by count is kept for a minute
# ARGV[3]  how long a counter is kept after it was last counted up, in seconds
# returns  {"written"}, {"conflict", name}, {"held", name, holder} or {"over", "person" or "all", refusals so far}
#
# A commit that finds its own mark was sent twice, because its answer was lost: the mark holds that answer, and it
# counts as written, although another may have moved the value on by now.
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
if usage then
  local own = tonumber(redis.call('GET', KEYS[usage.own]) or 0)
  local all = tonumber(redis.call('GET', KEYS[usage.all]) or 0)
  local over = own >= usage.most and 'person' or usage.most_all and all >= usage.most_all and 'all'
  if over and not usage.free then
    return marked({'over', over, up(usage.refused)}, 60)
  end
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
if plan.audit then
  local number = redis.call('INCR', KEYS[plan.audit.counter])
  redis.call('XADD', KEYS[plan.audit.stream], '*', 'number', number, unpack(plan.audit.fields))
end
return marked({'written'}, ARGV[2])
"""

# Takes a redraw mark away, unless the value has moved on since it was drawn.
#
# KEYS     the value, the redraw marks
# ARGV     the value's name, the version that was drawn
# returns  1, or 0 when another version is stored
MARK_RENDERED = """#!lua
local stored = redis.call('GET', KEYS[1])
if stored and cjson.decode(stored).version ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
"""

# Takes a redraw mark away, unless it has been set anew since it was set to a time.
#
# KEYS     the redraw marks
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

# Puts off what is due; never brings it nearer: a commit may have set a later time since it was found due.
#
# KEYS     the due times, the counts of postponing
# ARGV     the name, its new time in milliseconds
# returns  how often it has been put off since its last commit; 0 when it is not down for any time
RESCHEDULE = """#!lua
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
redis.call('ZADD', KEYS[1], 'XX', 'GT', ARGV[2], ARGV[1])
return redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
"""

# Gives a lock back, if it is still held with this token.
#
# KEYS     the lock
# ARGV     the token
# returns  1, or 0 when it was another's or nobody's
RELEASE_LOCK = """#!lua
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
"""

# Writes a seal over the audit entries since the newest one, unless another has sealed meanwhile.
#
# KEYS     the stream, the newest seal's value and place
# ARGV     the value that must still be the newest, the new value, the last sealed entry's place, the seal's fields
# returns  1, or 0 when the newest seal is another (or this one: its answer was lost)
SEAL = """#!lua
if (redis.call('HGET', KEYS[2], 'seal') or '') ~= ARGV[1] then
  return 0
end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 4))
redis.call('HSET', KEYS[2], 'seal', ARGV[2], 'place', ARGV[3])
return 1
"""

# Moves a reader's cursor on, unless it stands elsewhere by now.
#
# KEYS     the cursors
# ARGV     the reader, where its cursor must stand ('': nowhere yet), its new place
# returns  1 or 0
MOVE_CURSOR = """#!lua
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""

# Takes a lock that is free, or goes on holding it.
#
# KEYS     the lock
# ARGV     the token, for how many seconds
# returns  1, or 0 when another holds it
ACQUIRE_LEADERSHIP = """#!lua
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
