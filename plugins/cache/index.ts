import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { loggableError } from '../shared/loggable-error.js'
import { MemoryTier } from '../shared/memory-tier.js'
import { custom, duration, LONGEST_TIMER, nested, orFalse, resolveOptions, size, string } from '../shared/options.js'
import { isRedisClient, type RedisClient } from '../shared/redis-client.js'
import { RedisCommands } from '../shared/redis-commands.js'
import { RedisTier } from '../shared/redis-tier.js'
import { type Duration, type Size } from '../shared/units.js'
import type { Cache } from './api.js'
import { LONGEST_TTL, TieredCache } from './cache.js'
import { Coherence } from './coherence.js'
import type { Entry } from './entry.js'
import { OptionError } from './errors.js'
import { redisKey } from './keys.js'

export type { Cache, CacheEntryOptions, CacheStats, Load, LoadContext, WriteResult } from './api.js'
export type { Duration, RedisClient, Size }

export interface CacheOptions {
  /** The Redis tier's client (ioredis 5 or 6, `Redis` or `Cluster`); `false`: memory only. Default: `app.redis`, where there is one. */
  redis?: RedisClient | false
  /** The memory tier's bound in bytes, default `'64mb'`; `false`: Redis only. */
  memory?: { maxBytes?: Size } | false
  /** How long a value is given out where the call does not say. Default `'1m'`. */
  ttl?: Duration
  /** What all keys in Redis stand under: one for each app, the same in all its processes. Default `'headroom'`. */
  prefix?: string
  /** How long one Redis command may take before the cache goes on without. Default `'100ms'`. */
  commandTimeout?: Duration
  /**
   * The longest that a load takes. Redis remembers a delete this long, and the value of a load that took
   * longer is given out but not kept there. Default `'1m'`.
   */
  longestLoad?: Duration
  /** The decorator's name, where `cache` is taken. */
  decorateAs?: string
  /** Wall clock, milliseconds. Default `Date.now`. */
  now?: () => number
}

declare module 'fastify' {
  interface FastifyInstance {
    cache: Cache
  }
}

const OPTIONS = {
  redis: orFalse(custom('a connected ioredis client', isRedisClient)),
  memory: orFalse(nested({ maxBytes: size(64 * 2 ** 20, { min: 1 }) }, OptionError, 'options.memory')),
  ttl: duration(60_000, { max: LONGEST_TTL }),
  // Braces would put every key of the app into one Cluster slot; with a colon, two prefixes could share a key.
  prefix: string('headroom', { pattern: /^[^{}:\s]+$/, expected: 'a non-empty string without spaces, braces and colons' }),
  commandTimeout: duration(100, { min: 1, max: LONGEST_TIMER }),
  longestLoad: duration(60_000, { min: 1, max: LONGEST_TTL }),
  decorateAs: string('cache'),
  now: custom('a function that returns milliseconds', (value): value is () => number => typeof value === 'function')
}

/** Milliseconds between two lines about the same trouble. */
const LOG_INTERVAL = 10_000

const cache: FastifyPluginAsync<CacheOptions> = async (app, raw) => {
  const options = resolveOptions(OPTIONS, raw, 'options', OptionError)
  const { prefix, commandTimeout, longestLoad, now = Date.now } = options
  const client = options.redis ?? redisOfHost(app)
  const channel = `${prefix}:cache`
  if (options.memory === false && client === false) {
    app.log.warn('cache: without memory and without Redis nothing is kept; concurrent misses still share one load')
  }
  const lastSaid = { redis: -Infinity, unsupported: -Infinity, deaf: -Infinity }

  const tiered = new TieredCache({
    memory: options.memory === false ? undefined : new MemoryTier<Entry>({ maxBytes: options.memory.maxBytes, now }),
    redis: client === false
      ? undefined
      : new RedisTier({
        commands: new RedisCommands({ client, timeout: commandTimeout }),
        channel,
        keyOf: (key) => redisKey(prefix, key),
        // A load reads, loads and writes: the two commands take their time too.
        memoryOfDeletes: longestLoad + 2 * commandTimeout
      }),
    ttl: options.ttl,
    longestLoad,
    now,
    onRedisError: (error) => { seldom('redis', () => app.log.warn({ error: loggableError(error) }, 'cache: Redis failed a command; going on without it')) },
    onUnsupported: (part) => { seldom('unsupported', () => app.log.warn(`cache: a value cannot be kept because of ${part} in it; load plain data`)) }
  })

  app.decorate(options.decorateAs, tiered satisfies Cache)

  // Only now: a decorator that is taken stops the boot, and no connection must be left.
  if (client !== false) follow(client)

  function follow (client: RedisClient): void {
    const coherence = new Coherence({
      client,
      channel,
      onInvalidate: (key) => { tiered.forget(key) },
      onGap: () => { tiered.forgetAll() },
      onDeaf: (error) => { seldom('deaf', () => app.log.warn({ error: loggableError(error) }, 'cache: cannot subscribe to Redis; memory is not used meanwhile')) }
    })
    tiered.follow(coherence)
    app.addHook('onClose', async () => {
      coherence.close()
      tiered.close()
    })
  }

  /** What goes wrong for every call is said now and then; `stats()` has how often it was. */
  function seldom (what: keyof typeof lastSaid, say: () => void): void {
    const moment = performance.now()
    if (moment - lastSaid[what] < LOG_INTERVAL) return
    lastSaid[what] = moment
    say()
  }
}

function redisOfHost (app: FastifyInstance): RedisClient | false {
  const client: unknown = app.hasDecorator('redis') ? (app as { redis?: unknown }).redis : undefined
  return isRedisClient(client) ? client : false
}

export default fp(cache, { name: 'headroom-cache', fastify: '5.x' })
