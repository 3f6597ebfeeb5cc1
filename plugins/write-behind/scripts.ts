import { UNLESS_LATE } from '../shared/redis-commands.js'
import { VERSION_DIGITS } from './record.js'

/** They are sent in full with each call: without what is only there to be read. */
function lua (strings: TemplateStringsArray, ...values: Array<string | number>): string {
  return String.raw(strings, ...values).trim().replace(/\n\s+/g, '\n')
}

// Each works on the keys of one shard, and so of one slot of a Cluster; its last argument is its deadline. What is published is a hint:
// a user without leave to do so still writes.

// Out of memory, Redis refuses a write that takes some, unless the script has written before. An owner is to empty the queue then, and so
// its scripts begin by deleting what is not there.

/** What a script answers whose caller does not own the shard any more. */
export const FENCED = -2

/** Bytes of records after which a script that reads several has enough: Redis does nothing else while it runs. */
const SCRIPT_BYTES = 2 ** 20

// The versions are those of Redis' clock in microseconds, or one more than the last: so they rise also when all that Redis had is
// lost. The floor is the highest that the process has seen, on whatever server. Sent again, the script answers what it has. Negative is
// the version of a write that has come in the place of one that waited.
export const ENQUEUE = lua`${UNLESS_LATE}
  local records, queue, version, answer, tries = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
  local given = redis.call('GET', answer)
  if given then return cjson.decode(given) end
  local limit, floor, channel, shard = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
  local last = math.max(tonumber(redis.call('GET', version) or 0), floor)
  local now = time[1] * 1000000 + time[2]
  local waiting = redis.call('HLEN', records)
  local before, versions = waiting, {}
  for at = 5, #ARGV - 2, 2 do
    local id = ARGV[at]
    local waits = redis.call('HEXISTS', records, id) == 1
    if waits or waiting < limit then
      last = math.max(last + 1, now)
      local text = string.format('%0${VERSION_DIGITS}.0f', last)
      if not waits then
        redis.call('XADD', queue, '*', 'id', id)
        waiting = waiting + 1
      end
      redis.call('HSET', records, id, text .. ARGV[at + 1])
      if waits then
        redis.call('HDEL', tries, id)
        text = '-' .. text
      end
      versions[#versions + 1] = text
    else
      versions[#versions + 1] = ''
    end
  end
  redis.call('SET', version, string.format('%.0f', last))
  local left = math.ceil(tonumber(ARGV[#ARGV]) - time[1] * 1000 - time[2] / 1000) + 1
  redis.call('SET', answer, cjson.encode(versions), 'PX', left)
  if waiting > before then redis.pcall('PUBLISH', channel, shard) end
  return versions
`
export const PENDING = lua`${UNLESS_LATE}
  local records = {}
  for at = 1, #ARGV - 1 do records[at] = redis.call('HGET', KEYS[1], ARGV[at]) or '' end
  return records
`
// What has waited long enough. Entries whose record has gone are of nothing.
export const CLAIM = lua`${UNLESS_LATE}
  local lease, queue, records, tries = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
  if redis.call('GET', lease) ~= ARGV[1] then return ${FENCED} end
  local claims, cursor, bytes, count, delay = {}, ARGV[2], 0, tonumber(ARGV[3]), tonumber(ARGV[4])
  local now = time[1] * 1000 + time[2] / 1000
  local entries = redis.call('XRANGE', queue, '(' .. cursor, string.format('%.0f', math.floor(now - delay)), 'COUNT', count)
  for _, entry in ipairs(entries) do
    local id = entry[2][2]
    local record = redis.call('HGET', records, id)
    cursor = entry[1]
    if record then
      claims[#claims + 1] = { id, entry[1], record, redis.call('HGET', tries, id) or '0' }
      bytes = bytes + #record
      if bytes > ${SCRIPT_BYTES} then break end
    else
      redis.call('XDEL', queue, entry[1])
    end
  end
  local following, wait = redis.call('XRANGE', queue, '(' .. cursor, '+', 'COUNT', 1)[1], ''
  if following then wait = string.format('%.0f', math.ceil(string.match(following[1], '^%d+') + delay - now)) end
  return { cursor, wait, claims }
`
// What an entry was put in for that has gone waits under another one, or does not wait any more.
export const RECLAIM = lua`${UNLESS_LATE}
  local lease, queue, records = KEYS[1], KEYS[2], KEYS[3]
  if redis.call('GET', lease) ~= ARGV[1] then return ${FENCED} end
  local found = {}
  for at = 2, #ARGV - 1, 2 do
    local id, entry = ARGV[at], ARGV[at + 1]
    local stands = redis.call('XRANGE', queue, entry, entry)[1]
    found[#found + 1] = stands and redis.call('HGET', records, id) or ''
  end
  return found
`
// A newer write has come meanwhile: it waits from now on, behind those that have come before it.
const SETTLE = lua`
  local function waitsAnew (queue, entry, id)
    if redis.call('XDEL', queue, entry) == 1 then redis.call('XADD', queue, '*', 'id', id) end
  end
`
export const ACKNOWLEDGE = lua`${UNLESS_LATE} ${SETTLE}
  local lease, queue, records, tries, buried = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
  if redis.call('GET', lease) ~= ARGV[1] then return ${FENCED} end
  local overtaken = 0
  for at = 2, #ARGV - 1, 3 do
    local id, entry, version = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    local record = redis.call('HGET', records, id)
    redis.call('HDEL', tries, id)
    redis.call('HDEL', buried, id)
    if record and string.sub(record, 1, ${VERSION_DIGITS}) ~= version then
      waitsAnew(queue, entry, id)
      overtaken = overtaken + 1
    else
      redis.call('HDEL', records, id)
      redis.call('XDEL', queue, entry)
    end
  end
  return overtaken
`
export const FAIL = lua`${UNLESS_LATE} ${SETTLE}
  redis.call('HDEL', KEYS[4], '')
  local lease, queue, records, tries, dead, buried = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
  if redis.call('GET', lease) ~= ARGV[1] then return ${FENCED} end
  local fates = {}
  for at = 2, #ARGV - 1, 5 do
    local id, entry, version, count, reason = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
    local record = redis.call('HGET', records, id)
    local letter = redis.call('HGET', buried, id)
    letter = letter and redis.call('XRANGE', dead, letter, letter)[1]
    local fate = 'overtaken'
    if letter and string.sub(letter[2][4], 1, ${VERSION_DIGITS}) == version then
      fate = 'dead'
    elseif record and string.sub(record, 1, ${VERSION_DIGITS}) ~= version then
      redis.call('HDEL', tries, id)
      waitsAnew(queue, entry, id)
    elseif record and reason ~= '' then
      redis.call('HSET', buried, id, redis.call('XADD', dead, '*', 'id', id, 'record', record, 'tries', count, 'reason', reason))
      redis.call('HDEL', records, id)
      redis.call('HDEL', tries, id)
      redis.call('XDEL', queue, entry)
      fate = 'dead'
    elseif record then
      redis.call('HSET', tries, id, count)
      fate = 'again'
    end
    fates[#fates + 1] = fate
  end
  return fates
`
// Whoever has owned it is to keep what it has only while nobody else can have owned it: a lease that has ended is not renewed.
export const TEND = lua`${UNLESS_LATE}
  redis.call('HDEL', KEYS[3], '')
  local holder = redis.call('GET', KEYS[1])
  if holder == ARGV[1] then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  elseif holder or ARGV[3] == 'renew' then
    return -3
  else
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  end
  return redis.call('XLEN', KEYS[2])
`
// What waits is for the next owner, who is told.
export const RELEASE = lua`${UNLESS_LATE}
  if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1])
    if redis.call('XLEN', KEYS[2]) > 0 then redis.pcall('PUBLISH', ARGV[2], ARGV[3]) end
  end
  return 1
`
export const DEPTH = lua`${UNLESS_LATE}
  local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  local age = -1
  if first then age = time[1] * 1000 + time[2] / 1000 - tonumber(string.match(first[1], '^%d+')) end
  return { redis.call('HLEN', KEYS[1]), string.format('%.0f', age), redis.call('XLEN', KEYS[3]) }
`

// Of an id only the last dead write may be brought back, and only while nothing newer waits or has been saved: "buried" has it
// until then.
export const LETTERS = lua`${UNLESS_LATE}
  local letters, bytes = {}, 0
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])) do
    if bytes > ${SCRIPT_BYTES / 4} then return { letters, 'more' } end
    local field = entry[2]
    local last = redis.call('HGET', KEYS[2], field[2]) == entry[1] and redis.call('HEXISTS', KEYS[3], field[2]) == 0
    letters[#letters + 1] = { entry[1], field[2], field[4], field[6], field[8], last and '1' or '0' }
    bytes = bytes + #field[4]
  end
  return { letters, '' }
`
export const REPLAY = lua`${UNLESS_LATE}
  local dead, buried, records, queue = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
  local entry = redis.call('XRANGE', dead, ARGV[1], ARGV[1])[1]
  if not entry then return 'gone' end
  local id = entry[2][2]
  if redis.call('HGET', buried, id) ~= ARGV[1] or redis.call('HEXISTS', records, id) == 1 then return 'superseded' end
  redis.call('HSET', records, id, entry[2][4])
  redis.call('XADD', queue, '*', 'id', id)
  redis.call('HDEL', buried, id)
  redis.call('XDEL', dead, ARGV[1])
  redis.pcall('PUBLISH', ARGV[2], ARGV[3])
  return 'queued'
`
export const DISCARD = lua`${UNLESS_LATE}
  local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
  if not entry then return 0 end
  if redis.call('HGET', KEYS[2], entry[2][2]) == ARGV[1] then redis.call('HDEL', KEYS[2], entry[2][2]) end
  return redis.call('XDEL', KEYS[1], ARGV[1])
`

// Saved without the queue: what is buried of the id is older.
export const SUPERSEDE = lua`${UNLESS_LATE}
  return redis.call('HDEL', KEYS[1], ARGV[1])
`

// Who was not there for as long as a lease has gone.
export const JOIN = lua`${UNLESS_LATE}
  redis.call('ZREM', KEYS[1], '')
  local now = time[1] * 1000 + time[2] / 1000
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - tonumber(ARGV[2])))
  return redis.call('ZRANGE', KEYS[1], 0, -1)
`
export const LEAVE = lua`${UNLESS_LATE}
  return redis.call('ZREM', KEYS[1], ARGV[1])
`
