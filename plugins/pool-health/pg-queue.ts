import { inContext } from '../shared/request-context.js'
import { BusyError } from './errors.js'
import type { MethodLayer } from './method-layer.js'
import type { Connected, PgClient, PgPool } from '../shared/pg-pool.js'

/** What is not in pg's types: those who wait for a connection, each of which the pool calls. */
interface Queued {
  readonly callback: Connected
}

/** Who waits for a connection. */
export interface Waiter {
  /** It has a connection, or an error, before it gave up. */
  served: Connected
  /** @param wasQueued whether all were in use; else one was being opened for it, by which others can tell how long that takes */
  gaveUp (wasQueued: boolean): void
  /** The pool has done with it, also after it gave up. Called once, before `served`. */
  settled? (): void
}

/** The queue of a pool of pg, which who gives up leaves. */
export class PgQueue {
  readonly #pool: PgPool & { readonly _pendingQueue?: Queued[] }
  readonly #connect: MethodLayer

  /** @param connect around the pool's `connect` */
  constructor (pool: PgPool, connect: MethodLayer) {
    this.#pool = pool
    this.#connect = connect
  }

  /** As the pool's `connect` of who asks for itself. */
  connect (callback: Connected): void {
    const result: unknown = this.#connect.below.call(this.#pool, callback)
    // Of a class that knows of no callback.
    if (result instanceof Promise) void result.then((client?: PgClient) => { if (client) callback(undefined, client, client.release) }, (error: Error) => { callback(error, undefined, ignore) })
  }

  /**
   * @param patience milliseconds after which it gives up; undefined: never
   * @throws what a Client that cannot be made throws: a file of its certificate is not there, for one
   */
  join (patience: number | undefined, waiter: Waiter): void {
    let isOver = false
    let isSettled = false
    let place: Queued | undefined
    const settle = (): void => {
      isSettled = true
      clearTimeout(timer)
      waiter.settled?.()
    }
    const giveUp = (): void => {
      if (isOver || isSettled) return
      isOver = true
      waiter.gaveUp(this.#leave(place))
    }
    // After the event loop was blocked the connection may lie in the socket, unread: it is read before the next immediate.
    const timer = patience === undefined ? undefined : setTimeout(() => { setImmediate(giveUp) }, patience).unref()
    try {
      place = this.#enqueue((error, client, release) => {
        settle()
        if (isOver) client?.release()
        else waiter.served(error, client, release)
      })
    } catch (error) {
      settle()
      throw error
    }
  }

  /** @returns its place, where it stands in the queue */
  #enqueue (callback: Connected): Queued | undefined {
    const queue = this.#pool._pendingQueue
    const before = queue?.length
    // Not for the request that asks: a socket that is opened would keep it, with all it holds, and tell others that they are it.
    // Another watch of the same pool has to know it still.
    if (this.#connect.isOverAnother) this.connect(callback)
    else inContext(undefined, () => { this.connect(callback) })
    return queue !== undefined && queue.length > before! ? queue.at(-1) : undefined
  }

  #leave (place: Queued | undefined): boolean {
    const queue = this.#pool._pendingQueue
    const index = place === undefined || queue === undefined ? -1 : queue.indexOf(place)
    if (index === -1) return false
    queue!.splice(index, 1)
    // The pool's timer, and other watches, still wait for it.
    place!.callback(new BusyError('the pool'), undefined, ignore)
    return true
  }
}

export function ignore (): void {}
