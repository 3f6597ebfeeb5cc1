import { currentContext, inContext } from '../shared/request-context.js'
import { startSpan } from '../shared/spans.js'
import { captureStack, type CapturedStack } from './call-site.js'
import { cleaned } from './dirty-return.js'
import { BusyError } from './errors.js'
import { dirtOf, isBroken } from './dirt.js'
import { isAwayError, knowAsPools } from './driver-errors.js'
import type { Asked, Hold } from './holds.js'
import { maxOf, type PgClient, type PgPool, type PoolEvent } from './pg-pool.js'
import { PoolWatch, PROMPT, type PoolGauges, type Waiting, type WatchReports, type WatchSettings } from './pool-watch.js'

type Release = (error?: Error | boolean) => void
type Callback = (error: Error | undefined, client: PgClient | undefined, release: Release) => void
type Connect = (callback?: Callback) => Promise<PgClient> | undefined
type Query = (...args: unknown[]) => unknown

/** What is not in pg's types: its queue, from which who gives up is removed. */
interface PoolQueue {
  _pendingQueue?: unknown[]
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
  readonly pool: PgPool & PoolQueue
  readonly #connect: Connect
  readonly #query: Query
  readonly #watchedConnect: Connect
  readonly #watchedQuery: Query
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

  constructor (name: string, pool: PgPool, settings: WatchSettings, reports: WatchReports) {
    super(name, settings, reports)
    this.pool = pool
    this.counters.opened = pool.totalCount
    this.#connect = pool.connect
    this.#query = pool.query as Query
    const watch = this
    this.#watchedConnect = function connect (callback) {
      const asked = watch.#asked(connect)
      if (typeof callback === 'function') {
        watch.#ask(asked, watch.#isQuery ? callback : inItsContext(asked, callback))
        return undefined
      }
      return new Promise<PgClient>((resolve, reject) => {
        watch.#ask(asked, (error, client) => { if (error) reject(error); else resolve(client!) })
      }).catch((error: Error) => {
        // As pg-pool does: the stack leads to who asked, and not to a socket.
        Error.captureStackTrace(error)
        throw error
      })
    }
    this.#watchedQuery = function query (...args) {
      watch.#isQuery = true
      watch.#sql = sqlOf(args[0])
      try {
        return watch.#query.apply(pool, args)
      } finally {
        watch.#isQuery = false
      }
    }
    this.#listeners = [
      ['error', (error: Error) => {
        this.counters.errors++
        this.inDoubt()
        reports.broken(error)
      }],
      ['connect', (client: PgClient) => {
        this.counters.opened++
        this.#fresh = client
        this.answered()
      }],
      ['acquire', (client: Held) => {
        if (!(this.#holdKey in client)) outliveBreaks(client)
        client[this.#holdKey] = this.taken()
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
    Object.assign(pool, { connect: this.#watchedConnect, query: this.#watchedQuery })
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
    if (!this.pool.listeners('error').includes(ignore)) this.pool.on('error', ignore)
    for (const [event, listener] of this.#listeners) this.pool.off(event, listener)
    // What another has put around ours since goes on calling it.
    if (this.pool.connect === this.#watchedConnect) restore(this.pool, 'connect', this.#connect)
    if (this.pool.query === this.#watchedQuery) restore(this.pool, 'query', this.#query)
  }

  protected isLeak ({ asked }: Hold): boolean {
    return asked?.sql === undefined
  }

  protected async ask (): Promise<void> {
    const client = await new Promise<PgClient>((resolve, reject) => {
      this.#ask({ stack: undefined, context: undefined, sql: 'SELECT 1' }, (error, client) => {
        if (client !== undefined) {
          resolve(client)
          return
        }
        if (this.opening.size > 0) this.isAway()
        reject(error ?? new BusyError(`the pool ${this.name}`))
      }, PROMPT)
    })
    let timer: NodeJS.Timeout | undefined
    try {
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => { reject(new BusyError(`the pool ${this.name}`)) }, PROMPT)
      })
      await Promise.race([client.query('SELECT 1'), late])
    } catch (error) {
      this.isAway()
      client.release(true)
      throw error
    } finally {
      clearTimeout(timer)
    }
    client.release()
  }

  #asked (connect: Connect): Asked {
    const isQuery = this.#isQuery
    let stack: CapturedStack | undefined
    if (!isQuery || this.#queries++ % SAMPLE === 0) stack = captureStack(isQuery ? this.#watchedQuery : connect)
    return { stack, context: currentContext(), sql: isQuery ? this.#sql : undefined }
  }

  #ask (asked: Asked, callback: Callback, deadline = this.settings.deadlineOf(asked.context)): void {
    this.counters.asked++
    const { size, idle, waiting, max } = this.gauges()
    const isFull = idle + max - size <= waiting
    if (isFull && deadline !== undefined) {
      const predicted = this.predictedBehind(waiting)
      if (predicted > deadline) {
        const error = this.refusal(0, predicted)
        process.nextTick(() => { callback(error, undefined, ignore) })
        return
      }
    }
    const since = this.settings.now()
    // Those that are queued already come first, also for what lies idle.
    if (idle > waiting || this.pool.ending === true) {
      void this.#connect.call(this.pool, (error, client, release) => { this.#serve(asked, callback, since, undefined, error, client, release) })
      return
    }
    const wait = this.#beginWait(since, isFull)
    let isServed = false
    const giveUp = (): void => {
      if (isServed) return
      isServed = true
      wait.endSpan?.()
      // Else one is being opened for it, by which others can tell how long that takes.
      if (this.#removeFromQueue(place)) this.opening.delete(wait)
      callback(this.refusal(deadline!, this.predictedWait()), undefined, ignore)
    }
    // After the event loop was blocked the connection may lie in the socket, unread: it is read before the next immediate.
    const timer = deadline === undefined ? undefined : setTimeout(() => { setImmediate(giveUp) }, deadline).unref()
    const place = this.#enqueue((error, client, release) => {
      this.opening.delete(wait)
      wait.endSpan?.()
      clearTimeout(timer)
      if (isServed) {
        // Who asked for it did not wait so long.
        client?.release()
        return
      }
      isServed = true
      this.#serve(asked, callback, since, wait, error, client, release)
    })
  }

  #serve (asked: Asked, callback: Callback, since: number, wait: Waiting | undefined, error: Error | undefined, client: PgClient | undefined, release: Release): void {
    if (client === undefined) {
      this.#failed(error, callback)
      return
    }
    const hold = (client as Held)[this.#holdKey]
    // Undefined for who asked before the close, and has it after.
    if (hold !== undefined) {
      this.counted(hold)
      this.waited(hold.since - since, wait)
      if (wait?.isFull === false && client === this.#fresh) this.created(hold.since - since)
      hold.asked = asked
      hold.release = release
      client.release = (error) => { this.#giveBack(client, hold, release, error) }
    }
    callback(undefined, client, client.release)
  }

  #beginWait (since: number, isFull: boolean): Waiting & { endSpan: (() => void) | undefined } {
    const wait = { since, isFull, utilization: performance.eventLoopUtilization(), endSpan: startSpan(() => `pool ${this.name}: wait`) }
    if (!isFull) this.opening.add(wait)
    return wait
  }

  /** @returns the caller's place in the pool's queue, where it stands in one */
  #enqueue (callback: Callback): unknown {
    const queue = this.pool._pendingQueue
    const before = queue?.length
    // Not for the request that asks: a socket that is opened would keep it, with all it holds, and tell others that they are it.
    inContext(undefined, () => { void this.#connect.call(this.pool, callback) })
    return queue !== undefined && queue.length > before! ? queue.at(-1) : undefined
  }

  #removeFromQueue (item: unknown): boolean {
    const queue = this.pool._pendingQueue
    const place = item === undefined || queue === undefined ? -1 : queue.indexOf(item)
    if (place === -1) return false
    queue!.splice(place, 1)
    return true
  }

  #failed (error: Error | undefined, callback: Callback): void {
    if (TIMEOUT.test(String(error?.message))) this.timedOut()
    else this.counters.failed++
    knowAsPools(error)
    if (isAwayError(error)) this.isAway()
    callback(error, undefined, ignore)
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
    void cleaned(client, dirt).then(({ found, isClean }) => {
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
    if (isLost) this.inDoubt()
    this.released(hold, !error && !isLost)
  }
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

/** Whoever gives the connection back is another request, mostly. An `await` finds its own way home. */
function inItsContext ({ context }: Asked, callback: Callback): Callback {
  return context === undefined ? callback : (...args) => { inContext(context, () => { callback(...args) }) }
}

function sqlOf (query: unknown): string | undefined {
  if (typeof query === 'string') return query
  const text: unknown = (query as { text?: unknown } | null | undefined)?.text
  return typeof text === 'string' ? text : undefined
}

/** As it was: most pools have it of their class. */
function restore (pool: PgPool, name: 'connect' | 'query', method: unknown): void {
  Reflect.deleteProperty(pool, name)
  if (pool[name] !== method) Object.assign(pool, { [name]: method })
}

function ignore (): void {}
