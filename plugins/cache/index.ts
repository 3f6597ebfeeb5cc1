import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { COMPRESS_ABOVE } from '../shared/body.js'
import type { Entry } from '../shared/entry.js'
import { prefixOption, redisOfHost } from '../shared/host-redis.js'
import { loggableError } from '../shared/loggable-error.js'
import { MemoryTier } from '../shared/memory-tier.js'
import { boolean, complaint, custom, duration, LONGEST_TIMER, nested, number, orFalse, resolveOptions, size, string } from '../shared/options.js'
import { isRedisClient, unfitOption, type RedisClient } from '../shared/redis-client.js'
import { RedisCommands } from '../shared/redis-commands.js'
import { RedisLeases } from '../shared/redis-leases.js'
import { RedisMasters, type KeyFilter } from '../shared/redis-masters.js'
import { RedisTier } from '../shared/redis-tier.js'
import { Seldom } from '../shared/seldom.js'
import { type Duration, type Size } from '../shared/units.js'
import type { CreateWriteBehind } from '../write-behind/index.js'
import type { Cache, CacheDefaults } from './api.js'
import { TieredCache } from './cache.js'
import { Coherence } from './coherence.js'
import { OptionError } from './errors.js'
import { redisKeys } from './keys.js'
import { Messages } from './messages.js'
import { SetBack } from './set-back.js'
import { defaultOptions, defaultSettings } from './settings.js'
import type { NameFilter } from './telling.js'

export type {
  Cache, CacheDefaults, CacheEntryOptions, CacheStats, GetManyOptions, Id, Load, LoadContext, LoadedMany, LoadMany, Resource, ResourceOptions, SettleOption, WriteResult
} from './api.js'
export type { Duration, RedisClient, Size }

/** The options of `CacheDefaults` are those of every call, which can override each. */
export interface CacheOptions extends CacheDefaults {
  /** The Redis tier's client (ioredis 5 or 6, `Redis` or `Cluster`); `false`: memory only. Default: `app.redis`, where there is one. */
  redis?: RedisClient | false
  /** The memory tier's bound in bytes, default `'64mb'`; `false`: Redis only. */
  memory?: { maxBytes?: Size } | false
  /** What all keys in Redis stand under: one for each app, the same in all its processes. Default `'headroom'`. */
  prefix?: string
  /** How long one Redis command may take before the cache goes on without. Default `'100ms'`. */
  commandTimeout?: Duration
  /**
   * The longest that a load takes, and that Redis remembers a delete. Then its signal aborts, who asks from then on starts
   * another, and what it brings late is given to those who still wait, and kept nowhere. Default `'1m'`.
   */
  longestLoad?: Duration
  /** Callers that may wait for one key; the next ones fail with `FST_HEADROOM_CACHE_BUSY` (503). Default 10,000. */
  maxWaiters?: number
  /** Size above which a value is compressed for Redis; `false`: never. Default `'64kb'`. */
  compressAbove?: Size | false
  /**
   * Of all processes one loads a key at a time. When it dies in the load, the others go on after this long. `false`: each
   * process loads for itself. Default `'3s'`.
   */
  lease?: Duration | false
  /**
   * Whether `set`, `delete`, `invalidateTags` and `clear` reject with `FST_HEADROOM_CACHE_UNSHARED` (503), rather than resolve
   * `{ shared: false }`, when Redis could not be told. It is told again all the same. Default `false`.
   */
  strict?: boolean
  /** By which a resource with `write: 'behind'` makes its queue. Default: `app.writeBehind`, where it is registered by then. */
  writeBehind?: CreateWriteBehind
  /** The decorator's name, where `cache` is taken. Default `'cache'`. */
  decorateAs?: string
  /** Wall clock, milliseconds. Default `Date.now`. */
  now?: () => number
  /** A clock that nobody sets, milliseconds since whenever. Default `performance.now`, or `now` where that is given. */
  monotonicNow?: () => number
  /** From 0 up to, not including, 1. Default `Math.random`. */
  random?: () => number
}

declare module 'fastify' {
  interface FastifyInstance {
    cache: Cache
  }
}

/** A day, in milliseconds: so long the others wait for a process that died. */
const LONGEST_LEASE = 24 * 60 * 60 * 1_000

const OPTIONS = {
  redis: orFalse(custom('an ioredis client, Redis or Cluster', isRedisClient)),
  memory: orFalse(nested({ maxBytes: size(64 * 2 ** 20, { min: 1 }) }, OptionError, 'options.memory')),
  ...defaultOptions,
  prefix: prefixOption,
  commandTimeout: duration(100, { min: 1, max: LONGEST_TIMER }),
  longestLoad: duration(60_000, { min: 1, max: LONGEST_TIMER }),
  maxWaiters: number(10_000, { min: 1, max: 1e9 }),
  compressAbove: orFalse(size(COMPRESS_ABOVE, { min: 1 })),
  lease: orFalse(duration(3_000, { min: 100, max: LONGEST_LEASE })),
  strict: boolean(false),
  writeBehind: custom('a function that makes queues', (value): value is CreateWriteBehind => typeof value === 'function'),
  decorateAs: string('cache'),
  now: custom('a function that returns milliseconds', (value): value is () => number => typeof value === 'function'),
  monotonicNow: custom('a function that returns milliseconds', (value): value is () => number => typeof value === 'function'),
  random: custom('a function that returns a number from 0 up to 1', (value): value is () => number => typeof value === 'function')
}

/** Milliseconds between two lines about the same trouble. */
const LOG_INTERVAL = 10_000

const cache: FastifyPluginAsync<CacheOptions> = async (app, raw) => {
  const options = resolveOptions(OPTIONS, raw, 'options', OptionError)
  const { prefix, commandTimeout, longestLoad, maxWaiters, compressAbove, lease, strict, now = wallClock, random = Math.random } = options
  const monotonicNow = options.monotonicNow ?? options.now ?? (() => performance.now())
  const client = options.redis ?? redisOfHost(app, isRedisClient) ?? false
  if (options.redis === undefined && client === false && app.hasDecorator('redis')) {
    app.log.warn('cache: app.redis is not an ioredis client, and is not used; pass options.redis, or false for memory only')
  }
  const channel = `${prefix}:cache`
  const messages = new Messages()
  const keys = redisKeys(prefix)
  const unfit = client === false ? undefined : unfitOption(client)
  if (unfit !== undefined) throw new OptionError(complaint('options.redis', unfit.expected, unfit.given))
  if (strict && client === false) throw new OptionError('options.strict: needs Redis, through which writes are shared')
  if (options.memory === false && client === false) {
    app.log.warn('cache: without memory and without Redis nothing is kept; concurrent misses still share one load')
  }
  // What goes wrong for every call is said now and then; `stats()` has how often it was.
  const seldom = new Seldom(LOG_INTERVAL)

  const commands = client === false
    ? undefined
    : new RedisCommands({
      client,
      timeout: commandTimeout,
      onRecovery: () => { tiered.tiers.recovered() },
      onAway: (error) => { app.log.warn({ error: loggableError(error) }, 'cache: Redis is away; going on without it') },
      onBack: () => { app.log.info('cache: Redis is back') }
    })
  const tiered = new TieredCache({
    memory: options.memory === false ? undefined : new MemoryTier<Entry>({ maxBytes: options.memory.maxBytes, sizeOf: ({ size }) => size, now }),
    redis: commands === undefined
      ? undefined
      : new RedisTier({
        commands,
        channel,
        keys,
        noticeOf: (key) => messages.ofKey(key),
        // A load reads, establishes its tags, loads and writes: the commands take their time too.
        memoryOfDeletes: longestLoad + 3 * commandTimeout,
        now
      }),
    leases: commands === undefined || lease === false ? undefined : new RedisLeases({ commands, duration: lease, channel }),
    keys,
    messages,
    defaults: defaultSettings(options),
    longestLoad,
    maxWaiters,
    strict,
    compressAbove: compressAbove === false ? Infinity : compressAbove,
    now,
    monotonicNow,
    random,
    createWriteBehind: () => options.writeBehind ?? (app.hasDecorator('writeBehind') ? app.writeBehind : undefined),
    onRedisError: (error) => { seldom.say('redis', () => app.log.warn({ error: loggableError(error) }, 'cache: Redis failed a command; going on without it')) },
    onUnsupported: (part) => { seldom.say(part, () => app.log.warn(`cache: a value cannot be kept because of ${part} in it; load plain data`)) }
  })

  app.decorate(options.decorateAs, tiered satisfies Cache)

  // Only now: a decorator that is taken stops the boot, and no connection and no timer must be left.
  if (options.memory !== false) watchClocks()
  if (client !== false && commands !== undefined) follow(client, commands)

  function watchClocks (): void {
    const watch = new SetBack({ now, monotonicNow, onSetBack: () => { tiered.tiers.forgetAll() } })
    app.addHook('onClose', async () => { watch.close() })
  }

  function follow (client: RedisClient, commands: RedisCommands): void {
    const coherence = new Coherence({
      client,
      channel,
      messages,
      onNews: (news) => { tiered.hear(news) },
      onGap: () => { tiered.tiers.forgetAll() },
      onSilence: () => { tiered.deaf() },
      onDeaf: (error) => { seldom.say('deaf', () => app.log.warn({ error: loggableError(error) }, 'cache: cannot subscribe to Redis; memory is not used meanwhile')) }
    })
    const masters = new RedisMasters({
      client,
      onSame: (at, isSame) => { tiered.tiers.confirm(at, isSame && namesOf(isSame)) },
      onChange: (isChanged) => {
        commands.serverChanged()
        tiered.tiers.tellAgain(namesOf(isChanged))
      }
    })
    const namesOf = (isMeant: KeyFilter): NameFilter => ({ isKey: (key) => isMeant(keys.value(key)), isTag: (tag) => isMeant(keys.tag(tag)) })
    tiered.tiers.follow(coherence, { ofKey: (key) => masters.doubtedAt(keys.value(key)), ofTag: (tag) => masters.doubtedAt(keys.tag(tag)) })
    app.addHook('onClose', async () => {
      masters.close()
      coherence.close()
      tiered.close()
      commands.close()
    })
  }
}

// Not Date.now itself: V8 makes a call of its own of that, where it inlines this; on a hit in memory it is a fifth of the time.
function wallClock (): number {
  return Date.now()
}

export default fp(cache, { name: 'headroom-cache', fastify: '5.x' })
