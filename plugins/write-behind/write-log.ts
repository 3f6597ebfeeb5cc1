import { randomBytes } from 'node:crypto'
import { UNLESS_LATE, type RedisCommands } from '../shared/redis-commands.js'
import { shardKeys, SHARDS, shardOf, type ShardKeys } from './keys.js'
import { VERSION_DIGITS, versionOf, writeOf, type Write } from './record.js'

export interface WriteLogOptions {
  commands: RedisCommands
  prefix: string
  /** Of the queue. */
  name: string
  /** On which the owner of a shard is told that something waits in it. */
  channel: string
  /** Ids that may wait in a shard. */
  limit: number
}

/** A write to be queued. */
export interface Queueing {
  readonly id: string
  readonly payload: Buffer
}

/** One that its owner has taken out to save. */
export interface Claim {
  readonly id: string
  /** Its place in the stream. */
  readonly entry: string
  readonly version: number
  readonly record: Buffer
  /** How often its save has failed. */
  readonly tries: number
}

export interface Claims {
  readonly claims: readonly Claim[]
  /** After which to go on. */
  readonly cursor: string
  /** Milliseconds of Redis' clock, in which the entries' ids are counted too. */
  readonly now: number
}

/** One whose save has failed. */
export interface Failure extends Pick<Claim, 'id' | 'entry' | 'version'> {
  readonly tries: number
  /** Why it is given up; undefined where it is to be tried again. */
  readonly dead?: string | undefined
}

/** Another process owns the shard. */
export class FencedError extends Error {
  override readonly name = 'FencedError'
  constructor () {
    super('the lease of the shard has ended')
  }
}

const FENCED = -2

/** Bytes of records after which a script that reads several has enough: Redis does nothing else while it runs. */
const SCRIPT_BYTES = 4 * 2 ** 20

// The versions are those of Redis' clock in microseconds, or one more than the last: so they rise also when all that Redis had is
// lost. The floor is the highest that the process has seen, on whatever server. Sent again, the script answers what it has.
const ENQUEUE = `${UNLESS_LATE}
  local records, queue, version, answer = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
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
      redis.call('HSET', records, id, text .. ARGV[at + 1])
      if not waits then
        redis.call('XADD', queue, '*', 'id', id)
        waiting = waiting + 1
      end
      versions[#versions + 1] = text
    else
      versions[#versions + 1] = ''
    end
  end
  redis.call('SET', version, string.format('%.0f', last))
  local left = math.ceil(tonumber(ARGV[#ARGV]) - time[1] * 1000 - time[2] / 1000) + 1
  redis.call('SET', answer, cjson.encode(versions), 'PX', left)
  if waiting > before then redis.call('PUBLISH', channel, shard) end
  return versions
`
const PENDING = `${UNLESS_LATE}
  return redis.call('HGET', KEYS[1], ARGV[1])
`
// Entries whose record has gone are of nothing.
const CLAIM = `${UNLESS_LATE}
  local lease, queue, records, tries = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
  if redis.call('GET', lease) ~= ARGV[1] then return ${FENCED} end
  local claims, cursor, bytes = {}, ARGV[2], 0
  for _, entry in ipairs(redis.call('XRANGE', queue, '(' .. cursor, '+', 'COUNT', ARGV[3])) do
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
  return { cursor, string.format('%.0f', time[1] * 1000 + time[2] / 1000), claims }
`
const RECLAIM = `${UNLESS_LATE}
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return ${FENCED} end
  local records = {}
  for at = 2, #ARGV - 1 do records[at - 1] = redis.call('HGET', KEYS[2], ARGV[at]) or '' end
  return records
`
// A newer write has come meanwhile: it waits from now on, behind those that have come before it.
const SETTLE = `
  local function waitsAnew (queue, entry, id)
    if redis.call('XDEL', queue, entry) == 1 then redis.call('XADD', queue, '*', 'id', id) end
  end
`
const ACKNOWLEDGE = `${UNLESS_LATE} ${SETTLE}
  local lease, queue, records, tries = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
  if redis.call('GET', lease) ~= ARGV[1] then return ${FENCED} end
  local overtaken = 0
  for at = 2, #ARGV - 1, 3 do
    local id, entry, version = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    local record = redis.call('HGET', records, id)
    redis.call('HDEL', tries, id)
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
const FAIL = `${UNLESS_LATE} ${SETTLE}
  local lease, queue, records, tries, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
  if redis.call('GET', lease) ~= ARGV[1] then return ${FENCED} end
  for at = 2, #ARGV - 1, 5 do
    local id, entry, version, count, reason = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
    local record = redis.call('HGET', records, id)
    if record and string.sub(record, 1, ${VERSION_DIGITS}) ~= version then
      redis.call('HDEL', tries, id)
      waitsAnew(queue, entry, id)
    elseif record and reason ~= '' then
      redis.call('XADD', dead, '*', 'id', id, 'record', record, 'tries', count, 'reason', reason)
      redis.call('HDEL', records, id)
      redis.call('HDEL', tries, id)
      redis.call('XDEL', queue, entry)
    elseif record then
      redis.call('HSET', tries, id, count)
    end
  end
  return 1
`
const TEND = `${UNLESS_LATE}
  local holder = redis.call('GET', KEYS[1])
  if holder == ARGV[1] then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  elseif holder then
    return -3
  else
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  end
  return redis.call('XLEN', KEYS[2])
`
const RELEASE = `${UNLESS_LATE}
  if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
  return 1
`
const DEPTH = `${UNLESS_LATE}
  local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  local age = -1
  if first then age = time[1] * 1000 + time[2] / 1000 - tonumber(string.match(first[1], '^%d+')) end
  return { redis.call('HLEN', KEYS[1]), string.format('%.0f', age), redis.call('XLEN', KEYS[3]) }
`

/** How full a shard is. */
export interface Depth {
  /** Ids that wait. */
  readonly waiting: number
  /** Milliseconds that the first of them has waited; 0 where none does. */
  readonly lag: number
  readonly dead: number
}

/** How a queue stands in Redis. Every method ends in bounded time; what an owner does, only while it is the owner. */
export class WriteLog {
  readonly #options: WriteLogOptions
  readonly #shards: readonly ShardKeys[]
  /** The highest version that this process has seen. */
  #highest = 0

  constructor (options: WriteLogOptions) {
    this.#options = options
    this.#shards = Array.from({ length: SHARDS }, (_, shard) => shardKeys(options.prefix, options.name, shard))
  }

  /** @returns their versions in the order given, undefined for those that found the shard full */
  async enqueue (shard: number, writes: readonly Queueing[]): Promise<Array<number | undefined>> {
    const { commands, limit, channel, name } = this.#options
    const { records, queue, version, answer } = this.#shards[shard]!
    const versions = await commands.write<string[]>(ENQUEUE, {
      keys: [records, queue, version, answer(randomBytes(9).toString('base64url'))],
      args: [limit, this.#highest, channel, `${name}:${shard}`, ...writes.flatMap(({ id, payload }) => [id, payload])]
    })
    return versions.map((text) => text === '' ? undefined : this.#seen(Number(text)))
  }

  /** @returns what waits under the id */
  async pending (id: string): Promise<Write | undefined> {
    const { records } = this.#shards[shardOf(id)]!
    const record = await this.#options.commands.writeBuffers(PENDING, { keys: [records], args: [id] }) as Buffer | null
    return record === null ? undefined : writeOf(id, record)
  }

  /** @returns those after the cursor, `'0'` in the beginning. @throws FencedError */
  async claim (shard: number, token: string, cursor: string, count: number): Promise<Claims> {
    const { lease, queue, records, tries } = this.#shards[shard]!
    const [next, now, claims] = unfenced(await this.#options.commands.writeBuffers(CLAIM, { keys: [lease, queue, records, tries], args: [token, cursor, count] })) as [Buffer, Buffer, Buffer[][]]
    return {
      cursor: next.toString(),
      now: Number(next === undefined ? 0 : now.toString()),
      claims: claims.map(([id, entry, record, failures]) => ({
        id: id!.toString(), entry: entry!.toString(), record: record!, version: this.#seen(versionOf(record!)), tries: Number(failures!.toString())
      }))
    }
  }

  /** The records that wait under the ids now, undefined where none does. @throws FencedError */
  async reclaim (shard: number, token: string, ids: readonly string[]): Promise<Array<Buffer | undefined>> {
    const { lease, records } = this.#shards[shard]!
    const found = unfenced(await this.#options.commands.writeBuffers(RECLAIM, { keys: [lease, records], args: [token, ...ids] })) as Buffer[]
    return found.map((record) => record.length === 0 ? undefined : record)
  }

  /** They have been saved. @returns of how many a newer write waits. @throws FencedError */
  async acknowledge (shard: number, token: string, saved: ReadonlyArray<Pick<Claim, 'id' | 'entry' | 'version'>>): Promise<number> {
    const { lease, queue, records, tries } = this.#shards[shard]!
    return Number(unfenced(await this.#options.commands.write(ACKNOWLEDGE, {
      keys: [lease, queue, records, tries], args: [token, ...saved.flatMap(({ id, entry, version }) => [id, entry, digits(version)])]
    })))
  }

  /** They could not be saved. @throws FencedError */
  async fail (shard: number, token: string, failures: readonly Failure[]): Promise<void> {
    const { lease, queue, records, tries, dead } = this.#shards[shard]!
    unfenced(await this.#options.commands.write(FAIL, {
      keys: [lease, queue, records, tries, dead],
      args: [token, ...failures.flatMap((one) => [one.id, one.entry, digits(one.version), one.tries, one.dead ?? ''])]
    }))
  }

  /** Takes the shard, or keeps it. @returns how many entries wait in it, or undefined where it is another's */
  async tend (shard: number, token: string, duration: number): Promise<number | undefined> {
    const { lease, queue } = this.#shards[shard]!
    const length = Number(await this.#options.commands.write(TEND, { keys: [lease, queue], args: [token, Math.ceil(duration)] }))
    return length < 0 ? undefined : length
  }

  async release (shard: number, token: string): Promise<void> {
    await this.#options.commands.write(RELEASE, { keys: [this.#shards[shard]!.lease], args: [token] })
  }

  async depth (shard: number): Promise<Depth> {
    const { records, queue, dead } = this.#shards[shard]!
    const [waiting, age, letters] = await this.#options.commands.write<Array<number | string>>(DEPTH, { keys: [records, queue, dead], args: [] })
    return { waiting: Number(waiting), lag: Math.max(0, Number(age)), dead: Number(letters) }
  }

  #seen (version: number): number {
    this.#highest = Math.max(this.#highest, version)
    return version
  }
}

/** @throws FencedError */
function unfenced (answer: unknown): unknown {
  if (Number(answer) === FENCED) throw new FencedError()
  return answer
}

function digits (version: number): string {
  return String(version).padStart(VERSION_DIGITS, '0')
}
