import type { Asked } from './holds.js'
import type { Place, ServerPool } from './mongo-server-pools.js'
import type { Waiting } from './pool-watch.js'

/** Who has asked the driver for a connection. */
export interface Asker {
  readonly address: string
  /** On the clock of the watch, milliseconds. */
  readonly since: number
  readonly asked: Asked
  /** None: there was a connection to be had. */
  readonly wait: Waiting | undefined
}

interface Entry extends Asker {
  /** On the driver's clock. */
  asks: number
  place: Place | undefined
  /** The connection that is being opened for it. */
  opens: number | undefined
  timer: NodeJS.Timeout | undefined
  /** It had its deadline, and its error. */
  isExpired: boolean
}

/** What the driver says of one that has a connection now, or gets none. */
interface Ended {
  address: string
  /** The connection that it has, or that could not be opened for it. */
  connectionId?: number | undefined
  /** How long it waited, rounded. */
  durationMS?: number
}

export const NOBODY: Asked = { stack: undefined, context: undefined, sql: undefined }

/**
 * Who waits for a connection of the driver, in the order in which they asked; also who has given up, which the driver tells
 * nobody. Its events do not say of whom they tell, and it puts callers into its queue only after it has told of them.
 */
export class MongoAskers {
  readonly #began = driversClock()
  readonly #safely: (work: () => void) => () => void
  #entries: Entry[] = []
  /** Of those, the ones that the driver is just about to put into its queue. */
  #arriving: Entry[] = []

  /** @param safely around what a timer calls */
  constructor (safely: (work: () => void) => () => void) {
    this.#safely = safely
  }

  get size (): number {
    return this.#entries.length
  }

  /** Of those who wait still, since when. */
  * waitingSince (): Generator<number> {
    for (const { since, wait, place } of this.#entries) if (wait?.isFull === true && place?.cancelled !== true) yield since
  }

  /** @returns whether it is the first of those who arrive now: `arrived` is to be called in a microtask, after the driver */
  add (asker: Asker): boolean {
    const entry = { ...asker, asks: driversClock(), place: undefined, opens: undefined, timer: undefined, isExpired: false }
    this.#entries.push(entry)
    return this.#arriving.push(entry) === 1
  }

  /** One that stood in the queue before. */
  takeOver (asker: Asker, place: Place): void {
    this.#entries.push({ ...asker, asks: place.checkoutTime, place, opens: undefined, timer: undefined, isExpired: false })
  }

  /**
   * The driver has put them into its queues.
   *
   * @param deadlineOf milliseconds after which one gives up; undefined: never
   * @param expired what it gets then
   */
  arrived (pools: ServerPool[], deadlineOf: (asker: Asker) => number | undefined, expired: (asker: Asker) => Error): void {
    const arriving = this.#arriving
    this.#arriving = []
    for (const { address, waitQueue } of pools) {
      const here = arriving.filter((entry) => entry.address === address)
      const places = here.length === 1 ? [waitQueue.last()] : here.length === 0 ? [] : [...waitQueue].slice(-here.length)
      for (const [index, entry] of here.entries()) {
        const place = places[index]
        if (place == null) continue
        entry.place = place
        entry.asks = place.checkoutTime
        if (typeof place.reject === 'function') this.#setDeadline(entry, place, deadlineOf(entry), expired)
      }
    }
  }

  /** The driver opens a connection for the first in its queue, who leaves it. */
  opens (address: string, connectionId: number): void {
    const first = this.#entries.find((entry) => entry.address === address && entry.opens === undefined && entry.place?.cancelled !== true)
    if (first !== undefined) first.opens = connectionId
  }

  /**
   * Takes the one of whom the driver tells: for whom the connection was opened, else who has waited for so long as it says.
   *
   * @param isCancelled whether its place in the queue must be, or must not
   * @returns undefined: it asked before the watch began
   */
  take ({ address, connectionId, durationMS = 0 }: Ended, isCancelled: boolean): Asker | undefined {
    const opener = connectionId === undefined ? -1 : this.#entries.findIndex((entry) => entry.opens === connectionId && entry.address === address && entry.place?.cancelled !== true)
    const index = opener === -1 ? this.#nearest(address, driversClock() - durationMS, isCancelled) : opener
    if (index === -1) return undefined
    const [entry] = this.#entries.splice(index, 1)
    clearTimeout(entry!.timer)
    return entry
  }

  /** @returns the index of who asked then, of those of the same moment the first who stands in the queue still; -1: nobody did since the watch began */
  #nearest (address: string, asked: number, isCancelled: boolean): number {
    let nearest = -1
    let distance = Infinity
    for (const [index, entry] of this.#entries.entries()) {
      if (entry.asks > asked + distance) break
      if (entry.address !== address || entry.isExpired || (entry.place?.cancelled ?? isCancelled) !== isCancelled) continue
      const off = Math.abs(entry.asks - asked)
      if (off > distance || (off === distance && (entry.opens !== undefined || this.#entries[nearest]?.opens === undefined))) continue
      nearest = index
      distance = off
    }
    // Before the watch began, a connection was being opened for it. The driver rounds, and so do we.
    return asked < this.#began && distance > 1 ? -1 : nearest
  }

  /** @returns how many left by themselves: an operation whose signal aborts ends without an event */
  forgetThoseWhoLeft (): number {
    let left = 0
    this.#entries = this.#entries.filter(({ place, timer, isExpired }) => {
      if (place?.cancelled !== true) return true
      clearTimeout(timer)
      if (!isExpired) left++
      return false
    })
    return left
  }

  /** The driver passes over who is marked so, also where it has begun to open a connection for it. */
  #setDeadline (entry: Entry, place: Place, deadline: number | undefined, expired: (asker: Asker) => Error): void {
    if (deadline === undefined) return
    const giveUp = this.#safely(() => {
      if (place.cancelled || !this.#entries.includes(entry)) return
      const error = expired(entry)
      place.cancelled = true
      entry.isExpired = true
      place.reject(error)
    })
    // After the event loop was blocked the connection may be there, unread: it is read before the next immediate.
    entry.timer = setTimeout(() => { setImmediate(giveUp) }, deadline).unref()
  }
}

/** In whole milliseconds, as the driver has them. */
function driversClock (): number {
  return Math.floor(performance.now())
}
