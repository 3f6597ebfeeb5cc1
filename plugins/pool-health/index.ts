import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { loggableError } from '../shared/loggable-error.js'
import { complaint, custom, describe, duration, LONGEST_TIMER, orFalse, resolveOptions, string } from '../shared/options.js'
import { type Duration } from '../shared/units.js'
import { broken } from './channels.js'
import { OptionError } from './errors.js'
import { poolsOfHost } from './host-pools.js'
import { isPgPool, PoolWatch, type PgPool, type PoolStatus } from './pool-watch.js'

export type { PgPool, PoolStatus }

export interface PoolHealthOptions {
  /** The pools to watch, by name. Default: those of @fastify/postgres: `main`, and its named ones. */
  pools?: Readonly<Record<string, PgPool>>
  /** How often each pool's gauges are logged; `false`: never. Default `'60s'`. */
  logInterval?: Duration | false
  /** The decorator's name, where `poolHealth` is taken. */
  decorateAs?: string
}

export interface PoolHealth {
  /** The gauges of every pool, by name, as they are at this moment. */
  status (): Record<string, PoolStatus>
}

declare module 'fastify' {
  interface FastifyInstance {
    poolHealth: PoolHealth
  }
}

const OPTIONS = {
  pools: custom('an object of pools by name, such as { main: app.pg.pool }', isPools),
  logInterval: orFalse(duration(60_000, { min: 1, max: LONGEST_TIMER })),
  decorateAs: string('poolHealth')
}

const poolHealth: FastifyPluginAsync<PoolHealthOptions> = async (app, raw) => {
  const options = resolveOptions(OPTIONS, raw, 'options', OptionError)
  const pools = options.pools ?? poolsOfHost(app)
  if (pools === undefined) {
    throw new OptionError(complaint('options.pools', 'pools by name, or @fastify/postgres registered before', describe(options.pools)))
  }
  const watches = new Map<string, PoolWatch>()

  app.decorate(options.decorateAs, {
    status: () => Object.fromEntries([...watches].map(([name, pool]) => [name, pool.status()]))
  } satisfies PoolHealth)
  // Only now: a decorator that is taken stops the boot, and nothing must be left on the pools.
  for (const [name, pool] of Object.entries(pools)) watches.set(name, watch(name, pool))

  const timer = options.logInterval === false ? undefined : setInterval(logGauges, options.logInterval).unref()

  app.addHook('onClose', async () => {
    clearInterval(timer)
    for (const pool of watches.values()) pool.close()
  })

  function watch (name: string, pool: PgPool): PoolWatch {
    return new PoolWatch(pool, (error) => {
      app.log.error({ error: loggableError(error), pool: name }, 'an idle connection of the pool broke')
      broken.publish(() => ({ pool: name, error }))
    })
  }

  function logGauges (): void {
    for (const [name, pool] of watches) app.log.info({ poolHealth: { pool: name, ...pool.status() } }, 'pool health')
  }
}

function isPools (value: unknown): value is Record<string, PgPool> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0 && Object.values(value).every(isPgPool)
}

export default fp(poolHealth, { name: 'headroom-pool-health', fastify: '5.x' })
