import { performance } from 'node:perf_hooks'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { pgPoolsOfHost } from '../shared/host-pools.js'
import { boolean, complaint, custom, describe, duration, INVALID, LONGEST_TIMER, number, orFalse, resolveOptions, size, string, type Option } from '../shared/options.js'
import { isPgPool, type PgPool } from '../shared/pg-pool.js'
import { onConfiguredRoute } from '../shared/route-config.js'
import type { Duration, Size } from '../shared/units.js'
import { ClosingError, OptionError } from './errors.js'
import { FORMATS, type Format } from './formats.js'
import type { LeasePool } from './pg-lease.js'
import { openQuery } from './query-source.js'
import { closeUnread, openRows, type RowsOf } from './row-source.js'
import { ReplyStreams, type StreamRoute, type StreamSettings } from './reply-streams.js'
import { ResponseSchemas } from './response-schema.js'
import { titled, type Columns } from './row-encoder.js'
import { Running } from './running.js'
import { Stats, type StreamLine, type StreamReplyStats } from './stats.js'

export type { Format, RowsOf, StreamLine, StreamReplyStats }

/** Of a route in `config.streamReply`, of all routes in the plugin's options, and of one call. */
export interface StreamReplyRouteOptions {
  /** Default: what the request's Accept likes best, JSON where it has no wish. */
  format?: Format
  /** Rows that a cursor fetches at a time, where what is sent is made of rows. Default 2,000. */
  batch?: number
  /** How long a reply may take in all; then it breaks off, or is 504 where it has not begun. Default `'10m'`. */
  deadline?: Duration
  /** Bytes a second that a client has to read while there is something to read. Default `'1kb'`; `false`: as slowly as it likes. */
  minThroughput?: Size | false
  /** Over how long that is looked at: who is in a tunnel reads nothing for a while. Default `'10s'`. */
  throughputWindow?: Duration
  /** How long a reply waits for a connection of the pool: then 503. Default `'5s'`. */
  acquireTimeout?: Duration
  /**
   * How a query ends whose client has left: by a CancelRequest, or, where a pooler does not pass it, by closing the connection: the
   * database finds out when it sends. Default `'request'`.
   */
  cancel?: 'request' | 'destroy'
  /** Whether an NDJSON that breaks off ends with a line `{"error":{"message":"…"}}`, as far as the client can still read it. Default `false`. */
  errorRecord?: boolean
  /** Whether a complete NDJSON ends with a line `{"end":{"rows":…}}`. Default `false`. */
  endRecord?: boolean
}

/** Of one call. */
export interface StreamOptions extends StreamReplyRouteOptions {
  /** The client saves the reply under this name: Content-Disposition. */
  filename?: string
  /** Which columns, in this order; by other names in the header of a CSV where it is an object: `{ id: 'Number' }`. Default: all. */
  columns?: readonly string[] | Readonly<Record<string, string>>
  /** What a CSV does with a text that a spreadsheet would take for a formula. Default: `'guard'` where `filename` is for a spreadsheet (csv, tsv, xls), else `'keep'`. */
  formulas?: 'guard' | 'keep'
}

export interface QueryStreamOptions extends StreamOptions {
  /** The name of a pool. Default: the first. */
  pool?: string
}

export interface StreamReplyOptions extends StreamReplyRouteOptions {
  /** Pools of pg by name. Default: those of @fastify/postgres: `main`, and its named ones. None is needed for `streamRows`. */
  pools?: Readonly<Record<string, PgPool>>
  /** How long replies may go on when the app closes. Default `'5s'`. */
  closeTimeout?: Duration
  /** The name of the app's property. Default `'streamReply'`. */
  decorateAs?: string
}

export interface StreamReply {
  stats (): StreamReplyStats
}

declare module 'fastify' {
  interface FastifyInstance {
    streamReply: StreamReply
  }
  interface FastifyReply {
    /**
     * Sends the rows of one statement as they come from Postgres. To be returned by the handler.
     *
     * @throws StatementError where it is not one statement that returns rows; what the database says of it; UnavailableError
     *   where there is no connection in time: all before anything was sent
     */
    streamQuery (query: string | { text: string, values?: readonly unknown[] }, options?: QueryStreamOptions): Promise<FastifyReply>
    /** Sends rows as they come. To be returned by the handler. */
    streamRows (rows: RowsOf, options?: StreamOptions): Promise<FastifyReply>
  }
  interface FastifyContextConfig {
    /** `false`: nothing is streamed there. */
    streamReply?: StreamReplyRouteOptions | boolean
  }
}

function oneOf<T extends string> (names: readonly T[]): Option<T | undefined> {
  return {
    expected: names.map((name) => `'${name}'`).join(' or '),
    read: (value) => value === undefined || (names as readonly unknown[]).includes(value) ? value as T | undefined : INVALID
  }
}

const ROUTE_OPTIONS = {
  format: oneOf(FORMATS),
  batch: number(undefined, { min: 1, max: 1_000_000 }),
  deadline: duration(undefined, { min: 1, max: LONGEST_TIMER }),
  minThroughput: orFalse(size(undefined, { min: 1 })),
  throughputWindow: duration(undefined, { min: 2, max: LONGEST_TIMER }),
  acquireTimeout: duration(undefined, { min: 1, max: LONGEST_TIMER }),
  cancel: oneOf(['request', 'destroy']),
  errorRecord: boolean(undefined),
  endRecord: boolean(undefined)
}
const OPTIONS = {
  ...ROUTE_OPTIONS,
  pools: custom('an object of pools of pg by name, such as { main: app.pg.pool }', isPools),
  closeTimeout: duration(5_000, { min: 0, max: LONGEST_TIMER }),
  decorateAs: string('streamReply')
}
const CALL_OPTIONS = {
  ...ROUTE_OPTIONS,
  filename: string(undefined),
  columns: custom('an array of names of columns, or an object of their titles', isColumns),
  formulas: oneOf(['guard', 'keep'])
}
const QUERY_OPTIONS = { ...CALL_OPTIONS, pool: string(undefined) }

const DEFAULTS = {
  format: undefined,
  batch: 2_000,
  deadline: 600_000,
  minThroughput: 1_024,
  throughputWindow: 10_000,
  acquireTimeout: 5_000,
  cancel: 'request',
  errorRecord: false,
  endRecord: false
} satisfies StreamSettings

const streamReply: FastifyPluginAsync<StreamReplyOptions> = async (app, raw) => {
  const { pools: given, closeTimeout, decorateAs, ...own } = resolveOptions(OPTIONS, raw, 'options', OptionError)
  const pools = given ?? pgPoolsOfHost(app) ?? {}
  // Others that the host has may be for something else.
  for (const [name, pool] of Object.entries(given ?? {})) refusePipelined(name, pool)
  const byDefault: StreamSettings = { ...DEFAULTS, ...defined(own) }
  const stats = new Stats()
  const running = new Running()
  const streams = new ReplyStreams(stats, running, () => performance.now())

  const routes = onConfiguredRoute<StreamRoute>(app, {
    key: 'streamReply',
    global: true,
    OptionError,
    resolve: (own, place) => ({ settings: { ...byDefault, ...defined(resolveOptions(ROUTE_OPTIONS, own, place, OptionError)) }, schemas: new ResponseSchemas() })
  })

  app.decorate(decorateAs, { stats: () => stats.snapshot } satisfies StreamReply)

  app.decorateReply('streamQuery', async function (this: FastifyReply, query, options = {}) {
    if (Array.isArray(options)) throw new OptionError(complaint('reply.streamQuery', 'values beside the text, { text, values }', describe(options)))
    const { pool, filename, columns, formulas, ...own } = resolveOptions(QUERY_OPTIONS, options, 'reply.streamQuery', OptionError)
    const route = routeOf(this.request, own)
    const { text, values = [] } = typeof query === 'string' ? { text: query } : query ?? {} as { text?: undefined, values?: undefined }
    if (typeof text !== 'string' || !Array.isArray(values)) throw new OptionError(complaint('reply.streamQuery', 'a text of SQL, or { text, values }', describe(query)))
    const from = poolOf(pool)
    return await streams.send(this, { ...route, filename, columns: columnsOf(columns), formulas }, async (open) => await openQuery(from, { text, values }, open))
  } satisfies FastifyReply['streamQuery'])

  app.decorateReply('streamRows', async function (this: FastifyReply, rows, options = {}) {
    let isOpen = false
    try {
      const { filename, columns, formulas, ...own } = resolveOptions(CALL_OPTIONS, options, 'reply.streamRows', OptionError)
      const route = routeOf(this.request, own)
      return await streams.send(this, { ...route, filename, columns: columnsOf(columns), formulas }, async (open) => {
        const opened = await openRows(rows, open)
        isOpen = true
        return opened
      })
    } finally {
      if (!isOpen) closeUnread(rows)
    }
  } satisfies FastifyReply['streamRows'])

  app.addHook('preClose', async () => { running.close(new ClosingError(), closeTimeout) })
  app.addHook('onClose', async () => { running.closed() })

  function routeOf (request: FastifyRequest, own: object): StreamRoute {
    const config = request.routeOptions.config as { streamReply?: unknown }
    if (config.streamReply === false) throw new OptionError('nothing is streamed on a route whose config.streamReply is false')
    // Of one that was added before the plugin nothing is known.
    const { settings, schemas } = routes.of(request) ?? { settings: byDefault, schemas: new ResponseSchemas() }
    return { settings: { ...settings, ...defined(own) }, schemas }
  }

  function poolOf (name: string = Object.keys(pools)[0] ?? 'main'): LeasePool {
    const pool = Object.hasOwn(pools, name) ? pools[name] : undefined
    if (pool === undefined && Object.keys(pools).length === 0) throw new OptionError(complaint('options.pools', 'pools by name, or @fastify/postgres registered before', 'none'))
    if (pool === undefined) throw new OptionError(complaint('options.pool', `the name of a pool: ${Object.keys(pools).join(', ')}`, describe(name)))
    refusePipelined(name, pool)
    return pool as unknown as LeasePool
  }
}

/** Behind a query whose rows are read as they are sent pg can have no other, and refuses it. */
function refusePipelined (name: string, { options }: PgPool): void {
  if (options.pipeline === true) throw new OptionError(complaint(`options.pools.${name}`, 'a pool without pg\'s option pipeline', 'pipeline: true'))
}

function columnsOf (given: StreamOptions['columns']): Columns | undefined {
  if (given === undefined) return undefined
  return Array.isArray(given) ? titled(given as readonly string[]) : new Map(Object.entries(given))
}

/** What is said. */
function defined<T extends object> (options: T): { [Key in keyof T]?: NonNullable<T[Key]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as { [Key in keyof T]?: NonNullable<T[Key]> }
}

function isPools (value: unknown): value is Record<string, PgPool> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isPgPool) && Object.keys(value).length > 0
}

function isColumns (value: unknown): value is NonNullable<StreamOptions['columns']> {
  if (typeof value !== 'object' || value === null) return false
  const names: unknown[] = Array.isArray(value) ? value : Object.values(value)
  return names.length > 0 && names.every((name) => typeof name === 'string') && (!Array.isArray(value) || new Set(names).size === names.length)
}

export default fp(streamReply, { name: 'headroom-stream-reply', fastify: '5.x' })
