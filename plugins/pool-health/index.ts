import { performance } from 'node:perf_hooks'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { pgPoolsOfHost } from '../shared/host-pools.js'
import { boolean, complaint, custom, describe, duration, LONGEST_TIMER, orFalse, resolveOptions, string } from '../shared/options.js'
import { followRequests } from '../shared/request-context.js'
import { onConfiguredRoute } from '../shared/route-config.js'
import { inSpan } from '../shared/spans.js'
import { type Duration } from '../shared/units.js'
import type { Advice } from './advice.js'
import type { Dirt } from './dirt.js'
import { OptionError, QueryError } from './errors.js'
import { FigureLines } from './figure-lines.js'
import { guardRoute, type GuardedRoute } from './guarded-routes.js'
import type { Holder, LeakReport } from './holds.js'
import { unbindHostPools } from './unbound-pools.js'
import { mongoClientOf, type MongoSource } from './mongo-client.js'
import { MongoWatch } from './mongo-watch.js'
import { isPgPool, type PgPool, type QueryResult } from '../shared/pg-pool.js'
import { PgWatch } from './pg-watch.js'
import type { PoolStatus, PoolWatch, WatchSettings } from './pool-watch.js'
import { reportsOf } from './reports.js'
import { mongoWarnings, pgWarnings, type SettingWarning } from './settings-check.js'
import { sqlShape } from './sql-shape.js'

export type { Advice, Dirt, Holder, LeakReport, MongoSource, PgPool, PoolStatus, QueryResult }

export interface PoolHealthRouteOptions {
  /** A request is refused with 503 when it would wait longer for a connection, and when it has waited so long. Default: the plugin's `deadline`. */
  deadline?: Duration
  /** The pool of MongoDB that is asked before the handler. Default: the first pool, where all are of MongoDB; else none. */
  pool?: string
}

export interface PoolHealthOptions {
  /**
   * The pools to watch, by name: of pg, a connected `MongoClient`, or a connected Mongoose connection. Default: those of
   * @fastify/postgres: `main`, and its named ones.
   */
  pools?: Readonly<Record<string, PgPool | MongoSource>>
  /** Who holds a connection for longer is reported, with where it was acquired. Default `'30s'`. */
  leakThreshold?: Duration
  /**
   * A connection of pg held for so long is taken away from its holder and closed, which fails the query that may run on it.
   * Default `false`: never.
   */
  destroyLeaked?: Duration | false
  /** Who holds a connection for longer is slow, for the advice. Default `'100ms'`. */
  slowHold?: Duration
  /** Of routes that do not say their own. Default `'1s'`. */
  deadline?: Duration
  /** How often each pool's figures are logged, and at once when the advice is another; `false`: never. Default `'60s'`. */
  logInterval?: Duration | false
  /** Whether the pools' settings are looked at when the app boots, and warned of. Default `true`. */
  checkSettings?: boolean
  /** Whether routes that do not say `config.poolHealth` have the plugin's deadline. Default `false`. */
  global?: boolean
  /** The decorator's name, where `poolHealth` is taken. */
  decorateAs?: string
  /** A monotonic clock in milliseconds. Default `performance.now`. */
  now?: () => number
}

/** One of the pools. */
export interface Pool {
  /** Its figures at this moment, and how it can serve. */
  status (): PoolStatus
  /** What is the matter with it. */
  advise (): Advice
  /** Who holds its connections now, those with most first. */
  holders (): Holder[]
  /** How long who asks for a connection now would wait, milliseconds. */
  predictedWait (): number
  /** Whether it can serve; asks the database where nothing has come from it for five seconds. */
  isReady (): Promise<boolean>
}

export interface PoolHealth {
  /** By name. */
  readonly pools: Readonly<Record<string, Pool>>
  /** Of every pool, by name, as it is at this moment. */
  status (): Record<string, PoolStatus>
  /** Of every pool, by name. */
  advise (): Record<string, Advice>
  /** Whether all pools can serve; false from the moment that the app closes. Never rejects. */
  isReady (): Promise<boolean>
  /**
   * One query on a connection of the pool, which always goes back. As `pool.query`, and a span of the request.
   *
   * @param options.pool default: the first
   * @throws QueryError where there is no such pool of Postgres
   */
  query<Row = any> (sql: string | { text: string, values?: unknown[] }, values?: unknown[], options?: { pool?: string }): Promise<QueryResult<Row>>
}

declare module 'fastify' {
  interface FastifyInstance {
    poolHealth: PoolHealth
  }
  interface FastifyContextConfig {
    /** `true` or an object: 503 with Retry-After where there is no connection in time, or no database. */
    poolHealth?: PoolHealthRouteOptions | boolean
  }
}

/** Leaks are looked for so often, milliseconds. */
const LOOK = 500

/** With every tenth of those looks the advice is looked at. */
const LOOKS_AN_ADVICE = 10

const POOL = 'a pool of pg, or a MongoClient or a connection of Mongoose that is connected'

const OPTIONS = {
  pools: custom('an object of pools by name, such as { main: app.pg.pool }', isPools),
  leakThreshold: duration(30_000, { min: 1 }),
  destroyLeaked: orFalse(duration(undefined, { min: 1 })),
  slowHold: duration(100, { min: 1 }),
  deadline: duration(1_000, { min: 1, max: LONGEST_TIMER }),
  logInterval: orFalse(duration(60_000, { min: 1, max: LONGEST_TIMER })),
  checkSettings: boolean(true),
  global: boolean(false),
  decorateAs: string('poolHealth'),
  now: custom('a function that returns milliseconds', (value): value is () => number => typeof value === 'function')
}
const ROUTE_OPTIONS = { deadline: duration(undefined, { min: 1, max: LONGEST_TIMER }), pool: string(undefined) }

const QUERY_OPTIONS = { pool: string(undefined) }

const poolHealth: FastifyPluginAsync<PoolHealthOptions> = async (app, raw) => {
  const { now = () => performance.now(), ...options } = resolveOptions(OPTIONS, raw, 'options', OptionError)
  const pools = options.pools ?? pgPoolsOfHost(app)
  if (pools === undefined) {
    throw new OptionError(complaint('options.pools', 'pools by name, or @fastify/postgres registered before', describe(options.pools)))
  }
  for (const [name, pool] of Object.entries(pools)) {
    if (!isPgPool(pool) && mongoClientOf(pool) === undefined) throw new OptionError(complaint(`options.pools.${name}`, POOL, describe(pool)))
  }
  if (options.destroyLeaked !== undefined && options.destroyLeaked !== false && options.destroyLeaked < options.leakThreshold) {
    throw new OptionError(complaint('options.destroyLeaked', `a duration not shorter than leakThreshold, ${options.leakThreshold} ms`, `${options.destroyLeaked} ms`))
  }
  const byPool = new Map<unknown, string>()
  for (const [name, pool] of Object.entries(pools)) {
    // Many connections of Mongoose can be of one client.
    const watched = mongoClientOf(pool) ?? pool
    const before = byPool.get(watched)
    if (before !== undefined) throw new OptionError(complaint(`options.pools.${name}`, 'each pool by one name', `that of options.pools.${before}`))
    byPool.set(watched, name)
  }
  const watches = new Map<string, PoolWatch>()
  /** Filled with the watches. */
  const facades: Record<string, Pool> = {}
  const ofEach = <T>(figure: (watch: PoolWatch) => T): Record<string, T> => Object.fromEntries([...watches].map(([name, watch]) => [name, figure(watch)]))

  let isLaterTold = false
  // Before the decorator: twice in a scope is told as that, and not as a name that is taken.
  const routes = onConfiguredRoute<GuardedRoute>(app, {
    key: 'poolHealth',
    global: options.global,
    OptionError,
    resolve (own, place) {
      const { deadline = options.deadline, pool } = resolveOptions(ROUTE_OPTIONS, own, place, OptionError)
      warnOfLater(deadline, place)
      return { deadline, before: askedBefore(pool, `${place}.pool`) }
    }
  }, guardRoute)

  app.decorate(options.decorateAs, {
    get pools () { return facades },
    status: () => ofEach((watch) => watch.status()),
    advise: () => ofEach((watch) => watch.advise()),
    isReady: async () => (await Promise.all([...watches.values()].map((watch) => watch.isReady()))).every(Boolean),
    query
  } satisfies PoolHealth)
  followRequests(app)

  const settings: WatchSettings = {
    now,
    leakThreshold: options.leakThreshold,
    destroyLeaked: options.destroyLeaked ?? false,
    slowHold: options.slowHold,
    // What no route matched has none.
    deadlineOf: (context) => context?.request === undefined || context.request.is404 ? undefined : routes.of(context.request)?.deadline
  }
  // Only now: a decorator that is taken stops the boot, and nothing must be left on the pools.
  for (const [name, pool] of Object.entries(pools)) {
    const own = watch(name, pool)
    watches.set(name, own)
    facades[name] = {
      status: () => own.status(),
      advise: () => own.advise(),
      holders: () => own.holders(),
      predictedWait: () => own.predictedWait(),
      isReady: async () => await own.isReady()
    }
  }
  Object.freeze(facades)
  unbindHostPools(app, new Set(Object.values(pools)))

  const lines = new FigureLines(options.logInterval === false ? undefined : app.log)
  let looks = 0
  const looking = setInterval(() => {
    const isTime = ++looks % LOOKS_AN_ADVICE === 0
    for (const watch of watches.values()) {
      watch.look()
      if (isTime) lines.writeIfNews(watch)
    }
  }, LOOK).unref()
  const logging = options.logInterval === false
    ? undefined
    : setInterval(() => { for (const watch of watches.values()) lines.write(watch) }, options.logInterval).unref()

  app.addHook('preClose', async () => {
    for (const watch of watches.values()) watch.closing()
  })
  app.addHook('onClose', async () => {
    clearInterval(looking)
    clearInterval(logging)
    for (const watch of watches.values()) watch.close()
  })

  function watch (name: string, pool: PgPool | MongoSource): PoolWatch {
    const reports = reportsOf(name, app.log, now)
    if (isPgPool(pool)) {
      warnOf(name, pgWarnings(pool.options))
      return new PgWatch(name, pool, settings, reports)
    }
    const client = mongoClientOf(pool)!
    warnOf(name, mongoWarnings(client.options))
    return new MongoWatch(name, client, settings, reports)
  }

  function warnOf (pool: string, warnings: SettingWarning[]): void {
    if (!options.checkSettings) return
    for (const warning of warnings) app.log.warn({ pool, ...warning, value: loggable(warning.value) }, `pool ${pool}: ${warning.setting} is ${String(warning.value)}: ${warning.why}; ${String(warning.recommended)} is a good start`)
  }

  /** Once: most routes have the deadline of all. */
  function warnOfLater (deadline: number, place: string): void {
    if (isLaterTold || !options.checkSettings) return
    for (const [name, pool] of Object.entries(pools!)) {
      const timeout = isPgPool(pool) ? pool.options.connectionTimeoutMillis ?? 0 : 0
      if (timeout === 0 || timeout > deadline) continue
      isLaterTold = true
      app.log.warn({ pool: name, deadline, connectionTimeoutMillis: timeout }, `${place}: a deadline of ${deadline} ms has no effect on pool ${name}, whose connectionTimeoutMillis, ${timeout} ms, is over first`)
    }
  }

  /** The driver of MongoDB refuses nobody who asks for a connection: the handler is not even called. */
  function askedBefore (name: string | undefined, place: string): PoolWatch | undefined {
    const all = [...watches.values()]
    const [first] = all
    const watch = name === undefined ? first : watches.get(name)
    if (watch === undefined) throw new OptionError(complaint(place, `the name of a pool: ${[...watches.keys()].join(', ')}`, describe(name)))
    // Where there are pools of both kinds, a route has to say that it is MongoDB's that it needs.
    if (watch.kind !== 'mongodb' || (name === undefined && all.some(({ kind }) => kind !== 'mongodb'))) return undefined
    return watch
  }

  async function query<Row> (sql: string | { text: string }, values?: unknown[], given: { pool?: string } = {}): Promise<QueryResult<Row>> {
    const { pool = [...watches.keys()][0]! } = resolveOptions(QUERY_OPTIONS, given, 'query: options', QueryError)
    const watch = watches.get(pool)
    if (!(watch instanceof PgWatch)) throw new QueryError(complaint('query', 'the name of a pool of Postgres', describe(pool)))
    return await inSpan(() => `pool ${pool}: ${sqlShape(typeof sql === 'string' ? sql : sql.text ?? '')}`, () => watch.query(sql, values)) as QueryResult<Row>
  }
}

/** JSON has no Infinity. */
function loggable (value: unknown): unknown {
  return value === Infinity ? 'Infinity' : value
}

/** A pool in place of the table is none; what is in the table is looked at one by one. */
function isPools (value: unknown): value is Record<string, PgPool | MongoSource> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isPgPool(value) && Object.keys(value).length > 0
}

export default fp(poolHealth, { name: 'headroom-pool-health', fastify: '5.x' })
