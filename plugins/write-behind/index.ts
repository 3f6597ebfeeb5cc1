import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { prefixOption, redisOfHost } from '../shared/host-redis.js'
import { loggableError } from '../shared/loggable-error.js'
import { boolean, complaint, custom, describe, duration, LONGEST_TIMER, resolveOptions, string } from '../shared/options.js'
import { isRedisClient, unfitOption, type RedisClient } from '../shared/redis-client.js'
import { RedisCommands, UnavailableError } from '../shared/redis-commands.js'
import { RedisMasters } from '../shared/redis-masters.js'
import { Seldom } from '../shared/seldom.js'
import { Subscription } from '../shared/subscription.js'
import type { Duration, Size } from '../shared/units.js'
import type { CreateWriteBehind, Id, WriteBehind, WriteBehindOptions } from './api.js'
import { DurabilityCheck } from './durability-check.js'
import { ClosingError, comeAgain, OptionError } from './errors.js'
import { channelOf, SHARDS } from './keys.js'
import { WriteQueue, type QueueReports } from './queue.js'
import { queueSettings } from './settings.js'

export type { CreateWriteBehind, DeadLetter, Id, SaveContext, SetResult, Write, WriteBehind, WriteBehindOptions, WriteBehindStats } from './api.js'
export type { Duration, RedisClient, Size }

export interface WriteBehindPluginOptions {
  /** Where writes wait: an ioredis client, `Redis` or `Cluster`; it can be another Redis than the cache's. Default: `app.redis`. */
  redis?: RedisClient
  /** Whether to insist, at boot and after a fail-over, on `appendonly yes`. Default `false`: its lack is logged. */
  durable?: boolean
  /** Whether Redis keeps its data in another way, or does not say how: then `durable` is not checked. Default `false`. */
  assumeDurable?: boolean
  /** What all keys in Redis stand under: one for each app, the same in all its processes. Default `'headroom'`. */
  prefix?: string
  /** How long one Redis command may take. Default `'100ms'`. */
  commandTimeout?: Duration
  /** After this long, a process that died has its shards saved from by the others. Default `'3s'`. */
  lease?: Duration
  /** How long a close of the app may save what waits; the rest stays for the next start. Default `'5s'`. */
  drainTimeout?: Duration
  /** The decorator's name, where `writeBehind` is taken. Default `'writeBehind'`. */
  decorateAs?: string
  /** Wall clock, milliseconds. Default `Date.now`. */
  now?: () => number
  /** From 0 up to, not including, 1. Default `Math.random`. */
  random?: () => number
}

declare module 'fastify' {
  interface FastifyInstance {
    writeBehind: CreateWriteBehind
  }
}

/** An hour, in milliseconds: so long nobody saves from the shards of a process that died. */
const LONGEST_LEASE = 60 * 60 * 1_000

const OPTIONS = {
  redis: custom('an ioredis client, Redis or Cluster', isFitClient),
  durable: boolean(false),
  assumeDurable: boolean(false),
  prefix: prefixOption,
  commandTimeout: duration(100, { min: 1, max: LONGEST_TIMER }),
  lease: duration(3_000, { min: 100, max: LONGEST_LEASE }),
  drainTimeout: duration(5_000, { max: LONGEST_TIMER }),
  decorateAs: string('writeBehind'),
  now: custom('a function that returns milliseconds', (value): value is () => number => typeof value === 'function'),
  random: custom('a function that returns a number from 0 up to 1', (value): value is () => number => typeof value === 'function')
}

/** Milliseconds between two lines about the same trouble. */
const LOG_INTERVAL = 10_000

const writeBehind: FastifyPluginAsync<WriteBehindPluginOptions> = async (app, raw) => {
  const { redis: client = redisOfHost(app, isFitClient), prefix, commandTimeout, lease, drainTimeout, decorateAs, now = Date.now, random = Math.random, ...durability } =
    resolveOptions(OPTIONS, raw, 'options', OptionError)
  if (client === undefined) throw new OptionError(complaint('options.redis', 'an ioredis client, or @fastify/redis registered before', 'undefined'))
  const unfit = unfitOption(client)
  if (unfit !== undefined) throw new OptionError(complaint('options.redis', unfit.expected, unfit.given))
  const queues = new Map<string, WriteQueue>()
  const channel = channelOf(prefix)
  let started = false
  let closed = false

  app.decorate(decorateAs, create satisfies CreateWriteBehind)

  // Only now: a decorator that is taken stops the boot, and nothing must be left on the client.
  const check = new DurabilityCheck({
    ...durability,
    client,
    onWarning: (text) => { app.log.warn(`write-behind: ${text}`) },
    onUnfit: (error) => { app.log.error({ error: loggableError(error) }, 'write-behind: writes are refused') }
  })
  await check.atBoot()

  const seldom = new Seldom(LOG_INTERVAL)
  const reports = reportsTo(app, seldom)
  const commands = new RedisCommands({
    client,
    timeout: commandTimeout,
    onAway: (error) => { app.log.warn({ error: loggableError(error) }, 'write-behind: Redis is away; nothing is queued meanwhile') },
    onBack: () => { app.log.info('write-behind: Redis is back') }
  })
  const masters = new RedisMasters({
    client,
    onSame: () => {},
    onChange: () => {
      commands.serverChanged()
      void check.again()
    }
  })
  const subscription = new Subscription({
    client,
    channel,
    onOpen: () => { for (const queue of queues.values()) queue.hearAgain() },
    onMessage: (text) => {
      const colon = text.lastIndexOf(':')
      const shard = Number(text.slice(colon + 1))
      if (Number.isInteger(shard) && shard >= 0 && shard < SHARDS) queues.get(text.slice(0, colon))?.hear(shard)
    },
    // Each shard is looked at whenever its lease is renewed.
    onClose: () => {},
    onRefused: (error) => { seldom.say('deaf', () => app.log.warn({ error: loggableError(error) }, 'write-behind: cannot subscribe to Redis; what waits is found later')) }
  })

  // What `save` uses may be registered after this.
  app.addHook('onReady', async () => {
    started = true
    for (const queue of queues.values()) queue.start()
  })
  // Before what `save` uses is closed, whichever was registered first.
  app.addHook('preClose', async () => {
    const deadline = performance.now() + drainTimeout
    await Promise.all([...queues.values()].map((queue) => queue.drain(deadline)))
  })
  app.addHook('onClose', async () => {
    closed = true
    await Promise.all([...queues.values()].map((queue) => queue.close()))
    check.close()
    subscription.close()
    masters.close()
    commands.close()
  })

  function create<T, I extends Id> (name: string, options: WriteBehindOptions<T, I>): WriteBehind<T, I> {
    if (typeof name !== 'string' || !/^[^{}:\s]+$/.test(name)) throw new OptionError(`expected a name without spaces, braces and colons, got ${describe(name)}`)
    if (closed) throw comeAgain(new ClosingError())
    if (queues.has(name)) throw new OptionError(`the name ${describe(name)} is taken`)
    const settings = queueSettings(options as WriteBehindOptions, `writeBehind ${describe(name)}`)
    const queue = new WriteQueue({ commands, prefix, name, channel, settings, lease, now, random, checkDurability: () => { check.assert() }, reports })
    queues.set(name, queue)
    if (started) queue.start()
    return queue as WriteBehind<any, any>
  }
}

function reportsTo (app: FastifyInstance, seldom: Seldom): QueueReports {
  return {
    // That it is away is said once, when it begins.
    onRedisError: (error) => { if (!(error instanceof UnavailableError)) seldom.say('redis', () => app.log.warn({ error: loggableError(error) }, 'write-behind: Redis failed a command')) },
    onDead: (queue, version, tries, error) => { app.log.error({ queue, version, tries, error: loggableError(error) }, 'write-behind: a write could not be saved; it lies with the dead letters') },
    onSourceAway: (queue, error) => { app.log.warn({ queue, error: loggableError(error) }, 'write-behind: the source is away; writes wait') },
    onSourceBack: (queue) => { app.log.info({ queue }, 'write-behind: the source is back') },
    onCallbackError: (error) => { app.log.error({ error: loggableError(error) }, 'write-behind: onDead or isOutage threw') }
  }
}

function isFitClient (value: unknown): value is RedisClient {
  return isRedisClient(value) && typeof value.callBuffer === 'function' && (value.isCluster === true || typeof value.call === 'function')
}

export default fp(writeBehind, { name: 'headroom-write-behind', fastify: '5.x' })
