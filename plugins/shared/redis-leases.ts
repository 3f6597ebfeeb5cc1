import { randomBytes } from 'node:crypto'
import { STAMP_AT } from './envelope.js'
import { UNLESS_LATE, type RedisCommands, type Write } from './redis-commands.js'
import type { TagGeneration } from './tier.js'

export interface RedisLeasesOptions {
  commands: RedisCommands
  /** Milliseconds that a lease lasts unless it is renewed. */
  duration: number
  /** The pub/sub channel on which the end of a lease that others wait for is told. */
  channel: string
}

/** Leave for one process alone. */
export interface Lease {
  readonly key: string
  /** Random, and so a fence: who comes late with that of an earlier lease is refused. */
  readonly token: string
}

/** What a lease is asked for. */
export interface LeaseRequest {
  /** In Redis; in Cluster, of the slot of `guarded`. */
  readonly key: string
  /** The key in Redis whose state must still be the one of the stamp: what the lease is for may have been done since. */
  readonly guarded: string
  readonly stamp: Buffer
}

export type LeaseAnswer =
  | { readonly kind: 'own', readonly lease: Lease }
  /** Another load has it, mostly in another process, for so many milliseconds unless it is renewed. It will tell when it ends. */
  | { readonly kind: 'held', readonly left: number }
  /** The guarded key has been written since the stamp. */
  | { readonly kind: 'changed' }
  /** Redis did not say; it may have given the lease all the same, which then is to be released. */
  | { readonly kind: 'unanswered', readonly error: unknown, readonly lease: Lease }

// Not -1, which is LATE: a list of one number is equal to it.
const CHANGED = -2
const OWN = 0

/** Arguments of one command: Lua's stack does not take those of some thousand tags at once. An even number, of names and values. */
const FIELDS = 1_000

// A client that has lost the connection sends a script again: the token tells that the lease is its own already. Who waits for a
// lease that is taken over waits from then on for the one in its place. What stands there and is no lease gives way: one key of
// somebody else's must not take the others of a batch with it.
const TAKE = `${UNLESS_LATE}${STAMP_AT}
  local answers, tags = {}, tonumber(ARGV[3])
  local last = 3 + 2 * tags
  for i = 1, #KEYS / 2 do
    local lease, guarded = KEYS[2 * i - 1], KEYS[2 * i]
    local holder = redis.pcall('HGET', lease, 'token')
    if type(holder) == 'table' then
      redis.call('DEL', lease)
      holder = false
    end
    local outdated = false
    for tag = 4, last, 2 do
      local generation = redis.call('HGET', lease, ARGV[tag])
      if generation and generation ~= ARGV[tag + 1] then outdated = true end
    end
    if stampAt(guarded) ~= ARGV[last + i] then
      answers[i] = ${CHANGED}
    elseif holder == ARGV[1] then
      answers[i] = ${OWN}
    elseif not holder or outdated then
      local awaited = outdated and redis.call('HGET', lease, 'awaited')
      redis.call('DEL', lease)
      redis.call('HSET', lease, 'token', ARGV[1])
      for from = 4, last, ${FIELDS} do redis.call('HSET', lease, unpack(ARGV, from, math.min(from + ${FIELDS - 1}, last))) end
      if awaited then redis.call('HSET', lease, 'awaited', 1) end
      redis.call('PEXPIRE', lease, ARGV[2])
      answers[i] = ${OWN}
    else
      redis.call('HSET', lease, 'awaited', 1)
      answers[i] = math.max(1, redis.call('PTTL', lease))
    end
  end
  return answers
`
const RENEW = `${UNLESS_LATE}
  local own = 0
  for _, lease in ipairs(KEYS) do
    if redis.pcall('HGET', lease, 'token') == ARGV[1] then own = own + redis.call('PEXPIRE', lease, ARGV[2]) end
  end
  return own
`
// Without a deadline, for which Redis would have to be asked what time it has: it does nothing but to a lease that is still the
// owner's, and an app that closes has no time left.
const RELEASE = `
  for i, lease in ipairs(KEYS) do
    if redis.pcall('HGET', lease, 'token') == ARGV[1] then
      if redis.call('HGET', lease, 'awaited') then redis.call('PUBLISH', ARGV[2], ARGV[2 + i]) end
      redis.call('DEL', lease)
    end
  end
  return 1
`

/** Leases of one script: Redis does nothing else while it runs. */
const MOST = 200

/**
 * Leases, that all processes share: of what only one of them should do at a time. One whose holder has died ends by itself.
 * Every method ends in bounded time rather than wait for Redis.
 */
export class RedisLeases {
  readonly #options: RedisLeasesOptions

  constructor (options: RedisLeasesOptions) {
    // Redis counts whole milliseconds.
    this.#options = { ...options, duration: Math.ceil(options.duration) }
  }

  /** Milliseconds that a lease lasts unless it is renewed. */
  get duration (): number {
    return this.#options.duration
  }

  /** Whether Redis answers, as far as is known. */
  get available (): boolean {
    return this.#options.commands.available
  }

  /** Whether it is of no use to wait for what stands under this key in Redis. */
  isFailing (key: string): boolean {
    return this.#options.commands.isFailing(key)
  }

  /**
   * Takes those that nobody has. Never rejects.
   *
   * @param basis what the work is based on: from a holder that works on another generation of one of these tags, the lease is
   *   taken over, since that is an outdated one
   * @returns in the order asked
   */
  async take (requests: readonly LeaseRequest[], basis: readonly TagGeneration[]): Promise<LeaseAnswer[]> {
    const token = randomBytes(12).toString('base64url')
    const answers = await this.#write(TAKE, requests, (some) => ({
      keys: some.flatMap(({ key, guarded }) => [key, guarded]),
      args: [token, this.#options.duration, basis.length, ...basis.flatMap(({ tag, generation }) => [`tag:${tag}`, generation]), ...some.map(({ stamp }) => stamp)]
    }))
    return answers.flatMap(({ items, result }): LeaseAnswer[] => result.status === 'rejected'
      ? items.map(({ key }) => ({ kind: 'unanswered', error: result.reason, lease: { key, token } }))
      : items.map(({ key }, index) => answerOf(Number((result.value as unknown[])[index]), { key, token })))
  }

  /** Has them last for the whole duration again; one that has ended meanwhile stays ended. Rejects where some could not be renewed. */
  async renew (leases: readonly Lease[]): Promise<void> {
    await this.#eachToken(leases, (token, some) => this.#write(RENEW, some, (few) => ({ keys: few.map(({ key }) => key), args: [token, this.#options.duration] })))
  }

  /** Ends them, and tells those who wait. Rejects where some could not be ended. @param messageFor what to tell of a lease */
  async release (leases: readonly Lease[], messageFor: (lease: Lease) => string): Promise<void> {
    const { commands, channel } = this.#options
    await this.#eachToken(leases, (token, some) => this.#inParts(some, (few) => ({
      keys: few.map(({ key }) => key), args: [token, channel, ...few.map(messageFor)]
    }), (writes) => commands.runEach(RELEASE, writes)))
  }

  async #write<Item> (script: string, items: readonly Item[], writeOf: (items: readonly Item[]) => Write): Promise<Array<Ran<Item>>> {
    return await this.#inParts(items, writeOf, (writes) => this.#options.commands.writeEach(script, writes))
  }

  /** The keys of a script share a slot in Cluster; elsewhere it is the length of a script that is bounded. */
  async #inParts<Item> (
    items: readonly Item[], writeOf: (items: readonly Item[]) => Write, send: (writes: readonly Write[]) => Promise<Array<PromiseSettledResult<unknown>>>
  ): Promise<Array<Ran<Item>>> {
    const most = this.#options.commands.isCluster ? 1 : MOST
    const parts: Array<readonly Item[]> = []
    for (let from = 0; from < items.length; from += most) parts.push(items.slice(from, from + most))
    const results = await send(parts.map(writeOf))
    return parts.map((part, index) => ({ items: part, result: results[index]! }))
  }

  async #eachToken (leases: readonly Lease[], work: (token: string, some: readonly Lease[]) => Promise<ReadonlyArray<Ran<Lease>>>): Promise<void> {
    const byToken = new Map<string, Lease[]>()
    for (const lease of leases) {
      const some = byToken.get(lease.token)
      if (some === undefined) byToken.set(lease.token, [lease])
      else some.push(lease)
    }
    const ran = (await Promise.all([...byToken].map(([token, some]) => work(token, some)))).flat()
    for (const { result } of ran) if (result.status === 'rejected') throw result.reason
  }
}

interface Ran<Item> {
  readonly items: readonly Item[]
  readonly result: PromiseSettledResult<unknown>
}

function answerOf (answer: number, lease: Lease): LeaseAnswer {
  if (answer === CHANGED) return { kind: 'changed' }
  return answer === OWN ? { kind: 'own', lease } : { kind: 'held', left: answer }
}
