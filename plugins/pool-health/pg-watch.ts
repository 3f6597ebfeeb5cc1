import type { FastifyRequest } from 'fastify'
import { Deadlines } from '../shared/deadline.js'
import { boundTo, currentContext } from '../shared/request-context.js'
import { startSpan } from '../shared/spans.js'
import { withResolvers } from '../shared/with-resolvers.js'
import { captureStack, type CapturedStack } from './call-site.js'
import { cleaned } from './dirty-return.js'
import { BusyError } from './errors.js'
import { dirtOf, followTransactions, isBroken } from './dirt.js'
import { isAwayError, knowAsPools } from './driver-errors.js'
import type { Asked, Hold } from './holds.js'
import { MethodLayer } from './method-layer.js'
import { maxOf, type Connected, type PgClient, type PgPool, type PoolEvent, type Release } from '../shared/pg-pool.js'
import { ignore, PgQueue } from './pg-queue.js'
import { PoolWatch, type PoolGauges, type Waiting, type WatchReports, type WatchSettings } from './pool-watch.js'
import { PROMPT } from './readiness.js'
import { hasConnection, unavailable } from './unavailable.js'

type Query = (...args: unknown[]) => unknown

/** What is not in pg's types: its clients. */
interface PoolInsides {
  _clients?: ReadonlyArray<PgClient & { _connected?: boolean }>
  _idle?: ReadonlyArray<{ client: PgClient }>
}

/** Who waits for a connection. */
interface Wait extends Waiting {
  /** Whether one is opened for it. */
  readonly isOpening: boolean
  readonly endSpan: (() => void) | undefined
  /** It has one, or an error. Else one is being opened for it still. */
  isOver: boolean
}

/** With the hold of each watch on it, while it is in somebody's hands. */
type Held = PgClient & Record<symbol, Hold | undefined>

/** Of so many queries, which return their connections themselves, one has its stack captured: that costs half a query. */
const SAMPLE = 1_000

/** In pg-pool, and in pg. */
const TIMEOUT = /^(?:timeout exceeded when trying to connect|Connection terminated due to connection timeout|timeout expired)/

/**
 * A pool of pg under watch, by its `connect`, through which `pool.query` goes too, and by its events.
 *
 * Listens to its `error` event: without a listener, Node ends the process when the server drops an idle connection
 * (node-postgres documentation, "Pool: Events: error").
 */
export class PgWatch extends PoolWatch {
  readonly kind = 'pg'
  readonly pool: PgPool & PoolInsides
  readonly #connect: MethodLayer
  readonly #queue: PgQueue
  readonly #query: MethodLayer
  readonly #listeners: ReadonlyArray<readonly [PoolEvent, (first: any, client: PgClient) => void]>
  /** The connection that was opened last, until somebody has it. */
  #fresh: PgClient | undefined
  /** The statement of the `pool.query` that asks for a connection now. */
  #sql: string | undefined
  #isQuery = false
  /** Of this watch alone: a pool can be watched by several apps. */
  readonly #holdKey = Symbol('headroom.poolHealth.hold')
  #queries = 0
  readonly #gone = new WeakSet<PgClient>()
  readonly #waits = new Set<Wait>()
  /** How many of those have one opened for them. */
  #opening = 0
  readonly #probes = new Deadlines(PROMPT)
  /** While the database is away: how many bytes each connection had had from it by then. */
  #readBefore: WeakMap<PgClient, number> | undefined

  constructor (name: string, pool: PgPool, settings: WatchSettings, reports: WatchReports) {
    super(name, settings, reports)
    this.pool = pool
    this.#takeOver()
    const watch = this
    this.#connect = new MethodLayer(pool, 'connect', function connect (callback?: Connected) {
      if (!watch.#connect.isOpen) return Reflect.apply(watch.#connect.below, pool, [callback])
      const asked = watch.#asked(connect)
      if (typeof callback === 'function') {
        watch.#acquire(asked, watch.#isQuery ? callback : boundTo(asked.context, callback))
        return undefined
      }
      return new Promise<PgClient>((resolve, reject) => {
        watch.#acquire(asked, (error, client) => { if (error) reject(error); else resolve(client!) })
      }).catch((error: Error) => {
        // As pg-pool does: the stack leads to who asked, and not to a socket.
        Error.captureStackTrace(error)
        throw error
      })
    })
    this.#queue = new PgQueue(pool, this.#connect)
    // As many as pg-pool takes: to gather and spread what may be given costs as much as all else here.
    this.#query = new MethodLayer(pool, 'query', function query (sql: unknown, values?: unknown, callback?: unknown) {
      const { below, isOpen } = watch.#query
      if (!isOpen) return below.call(pool, sql, values, callback)
      watch.#isQuery = true
      watch.#sql = sqlOf(sql)
      try {
        return below.call(pool, sql, bound(values), bound(callback))
      } finally {
        watch.#isQuery = false
      }
    })
    this.#listeners = [
      ['error', (error: Error) => {
        this.counters.errors++
        this.readiness.doubt()
        reports.broken(error)
      }],
      ['connect', (client: PgClient) => {
        this.counters.opened++
        this.#fresh = client
        this.readiness.answered(settings.now())
      }],
      ['acquire', (client: Held) => {
        this.#hold(client)
      }],
      ['release', (error: unknown, client) => { this.#released(error, client as Held) }],
      ['remove', (client: PgClient) => {
        // Told twice of one that the server ends while the pool does.
        if (this.#gone.has(client)) return
        this.#gone.add(client)
        this.counters.closed++
      }]
    ]
    for (const [event, listener] of this.#listeners) pool.on(event, listener)
  }

  protected gauges (): PoolGauges {
    const { totalCount, idleCount, waitingCount } = this.pool
    return { size: totalCount, idle: idleCount, waiting: waitingCount, max: maxOf(this.pool) }
  }

  /** As `pool.query`, also after the close. */
  query (...args: unknown[]): unknown {
    return (this.pool.query as Query).apply(this.pool, args)
  }

  /**
   * Stops watching. The pool belongs to the host, which may end it after us, or use it on: one listener that does nothing
   * stays, because without any a connection that breaks would still end the process. Nothing that the pool tells says
   * when its last connection has gone: it counts those that are ending as gone.
   */
  close (): void {
    this.#probes.close()
    if (!this.pool.listeners('error').includes(ignore)) this.pool.on('error', ignore)
    for (const [event, listener] of this.#listeners) this.pool.off(event, listener)
    this.#connect.close()
    this.#query.close()
  }

  protected isLeak ({ asked }: Hold): boolean {
    return asked?.sql === undefined
  }

  protected * waitingSince (): Generator<number> {
    for (const { since, isFull, isOver } of this.#waits) if (isFull && !isOver) yield since
  }

  protected override * openingFor (now: number): Generator<number> {
    for (const { since, isOpening } of this.#waits) if (isOpening) yield now - since
  }

  protected override awayChanged (isAway: boolean): void {
    this.#readBefore = isAway ? new WeakMap(this.pool._clients?.map((client) => [client, bytesRead(client)])) : undefined
  }

  protected async probe (): Promise<void> {
    const client = await this.#clientForProbe()
    try {
      await this.#probes.limit(client.query('SELECT 1'))
    } catch (error) {
      this.readiness.away()
      client.release(true)
      throw error
    }
    client.release()
  }

  /** As for any caller, but it is none: neither counted nor refused. */
  async #clientForProbe (): Promise<PgClient> {
    const { promise, resolve, reject } = withResolvers<PgClient>()
    this.#queue.join(PROMPT, {
      served: (error, client) => {
        if (isAwayError(error)) this.readiness.away()
        if (client === undefined) reject(error)
        else resolve(client)
      },
      gaveUp: (wasQueued) => {
        // To open one takes too long.
        if (!wasQueued) this.readiness.away()
        reject(new BusyError(`the pool ${this.name}`))
      }
    })
    return await promise
  }

  /** What the pool had before the watch began. */
  #takeOver (): void {
    const { _clients: clients, _idle: idle, totalCount } = this.pool
    if (!Array.isArray(clients) || !Array.isArray(idle)) {
      this.counters.opened = totalCount
      return
    }
    // One that is being opened is told of when it is open.
    const open = clients.filter(({ _connected: isOpen }) => isOpen !== false)
    this.counters.opened = open.length
    for (const client of open) {
      if (idle.some((item) => item.client === client)) continue
      this.counters.asked++
      this.counted(this.#hold(client as Held))
    }
  }

  #hold (client: Held): Hold {
    if (!(this.#holdKey in client)) {
      outliveBreaks(client)
      followTransactions(client)
    }
    const hold = this.begun()
    client[this.#holdKey] = hold
    return hold
  }

  #asked (below: (...args: never[]) => unknown): Asked {
    const isQuery = this.#isQuery
    let stack: CapturedStack | undefined
    if (!isQuery || this.#queries++ % SAMPLE === 0) stack = captureStack(below)
    return { stack, context: currentContext(), sql: isQuery ? this.#sql : undefined }
  }

  #acquire (asked: Asked, callback: Connected): void {
    const { context } = asked
    const deadline = context === undefined ? undefined : this.settings.deadlineOf(context)
    const guarded = deadline === undefined ? undefined : context?.request
    this.counters.asked++
    const since = this.settings.now()
    // Those that are queued already come first, also for what lies idle.
    if (this.pool.idleCount > this.pool.waitingCount || this.pool.ending === true) {
      this.#queue.connect((error, client, release) => { this.#serve(asked, guarded, callback, since, undefined, error, client, release) })
      return
    }
    const { size, idle, waiting, max } = this.gauges()
    const isFull = idle + max - size <= waiting
    if (isFull && deadline !== undefined) {
      const predicted = this.predictedBehind(waiting)
      if (predicted > deadline) {
        const error = this.refusal(predicted, context)
        process.nextTick(() => { callback(error, undefined, ignore) })
        return
      }
    }
    // Behind those that are being opened, only a while.
    const wait: Wait = { ...this.waitFrom(since, isFull && this.#opening === 0), isOpening: !isFull, endSpan: startSpan(() => `pool ${this.name}: wait`), isOver: false }
    this.#waits.add(wait)
    if (wait.isOpening) this.#opening++
    try {
      this.#queue.join(deadline, {
        settled: () => {
          this.#endWait(wait)
          if (this.#waits.delete(wait) && wait.isOpening) this.#opening--
        },
        served: (error, client, release) => { this.#serve(asked, guarded, callback, since, wait, error, client, release) },
        gaveUp: () => {
          this.#endWait(wait)
          callback(this.expiry(wait, context), undefined, ignore)
        }
      })
    } catch (error) {
      this.counters.failed++
      throw error
    }
  }

  #endWait (wait: Wait): void {
    if (wait.isOver) return
    wait.isOver = true
    wait.endSpan?.()
  }

  #serve (asked: Asked, guarded: FastifyRequest | undefined, callback: Connected, since: number, wait: Waiting | undefined, error: Error | undefined, client: PgClient | undefined, release: Release): void {
    if (client === undefined) {
      this.#failed(error, wait)
      // Wherever in the route it happens, a hook included.
      callback(guarded === undefined ? error : unavailable(error, guarded, this) as Error, undefined, ignore)
      return
    }
    if (guarded !== undefined) hasConnection(guarded)
    const hold = (client as Held)[this.#holdKey]
    // Undefined for who asked before the close, and has it after.
    if (hold !== undefined) {
      this.counted(hold)
      this.waited(hold.since - since, wait)
      if (client === this.#fresh) {
        this.#fresh = undefined
        if (wait?.isFull === false) this.load.created(hold.since - since)
      }
      hold.asked = asked
      hold.connection = client
      hold.release = release
      client.release = (error) => { this.#giveBack(client, hold, release, error) }
    }
    callback(undefined, client, client.release)
  }

  #failed (error: Error | undefined, wait: Waiting | undefined): void {
    if (TIMEOUT.test(String(error?.message))) {
      this.counters.timeouts++
      if (wait !== undefined) this.waited(this.settings.now() - wait.since, wait)
    } else {
      this.counters.failed++
    }
    knowAsPools(error)
    if (isAwayError(error)) this.readiness.away()
  }

  /** Lets no dirty client back into the pool. */
  #giveBack (client: PgClient, hold: Hold, release: Release, error: Error | boolean | undefined): void {
    // A second time: pg-pool says what is wrong. Of one that was taken away its holder knows nothing.
    const isFirst = !hold.isGivenBack
    hold.isGivenBack = true
    // It would, but does not have it yet.
    if (!isFirst && hold.isReturning) throw new Error('Release called on client which has already been released to the pool.')
    if (isFirst && hold.isTaken) return
    const dirt = isFirst && !error ? dirtOf(client) : undefined
    if (dirt === undefined) {
      release(error)
      return
    }
    hold.isReturning = true
    void cleaned(client, dirt, this.settings.leakThreshold).then(({ found, isClean }) => {
      if (found !== undefined) {
        this.counters.dirty++
        this.reports.dirty(found, !isClean, this.holds.report(hold, this.settings.now()))
      }
      release(!isClean)
    })
  }

  #released (error: unknown, client: Held): void {
    const hold = client[this.#holdKey]
    if (hold === undefined) return
    client[this.#holdKey] = undefined
    const isLost = isBroken(client) || (Boolean(error) && isAwayError(error))
    if (isLost) this.readiness.doubt()
    this.ended(hold, !error && !isLost && this.#hasAnswered(client))
  }

  /** Who gives a connection back need not have asked anything on it since the database went away. */
  #hasAnswered (client: PgClient): boolean {
    const before = this.#readBefore?.get(client)
    return before === undefined || before === 0 || bytesRead(client) > before
  }
}

/** 0 of those that do not tell it. */
function bytesRead ({ connection }: PgClient & { connection?: { stream?: { bytesRead?: number } } }): number {
  return connection?.stream?.bytesRead ?? 0
}

const outliving = new WeakSet<PgClient>()

/**
 * Without a listener, Node ends the process when the connection breaks in its holder's hands, and the pool listens to those
 * only that it has. The holder has the error by its query, this one or the next. One listener a client, however many watch it.
 */
function outliveBreaks (client: PgClient): void {
  if (outliving.has(client)) return
  outliving.add(client)
  client.on('error', knowAsPools)
}

/** A callback among what `query` is given. */
function bound (value: unknown): unknown {
  return typeof value === 'function' ? boundTo(currentContext(), value as Connected) : value
}

function sqlOf (query: unknown): string | undefined {
  if (typeof query === 'string') return query
  const text: unknown = (query as { text?: unknown } | null | undefined)?.text
  return typeof text === 'string' ? text : undefined
}
