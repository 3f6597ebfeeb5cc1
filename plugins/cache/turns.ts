import { LRUCache } from 'lru-cache'
import type { Lease, LeaseRequest, RedisLeases } from '../shared/redis-leases.js'
import { withResolvers } from '../shared/with-resolvers.js'
import type { Messages } from './messages.js'

/** How a load ended: its value is in Redis, it threw, or it gave what is not to be kept there. */
export type Ending = 'kept' | 'failed' | 'unkept'

export type Turn =
  /** To be loaded by us; without a lease where Redis cannot say whose turn it is, or where taking turns is of no use. */
  | { readonly kind: 'ours', readonly lease: Lease | undefined }
  /** Another process is loading it. Resolves when it has ended, or is to be asked about again. */
  | { readonly kind: 'theirs', readonly ended: Promise<Ending> }
  /** Redis has something else for it since it was read. */
  | { readonly kind: 'changed' }
  /** Redis did not say. To be loaded by us, and not to be written there: that would only take another command's time. */
  | { readonly kind: 'unanswered' }

/** Of a load of ours. */
export interface Ended {
  readonly key: string
  readonly lease: Lease | undefined
  /** Whether the lease has ended, with the write of the value. */
  readonly isReleased: boolean
  readonly ending: Ending
}

export interface TurnsOptions {
  leases: RedisLeases
  messages: Messages
  /** The key in Redis of a value, and of the lease to load it: in Cluster of one slot. */
  keysOf: (key: string) => { readonly value: string, readonly lease: string }
  /** Whether the other processes are heard now. */
  hears: () => boolean
  onRedisError: (error: unknown) => void
}

/** Keys whose values were last not to be kept: to load those one after the other would only make them slow. */
const UNKEPT = { max: 10_000, ttl: 10_000 }

/** Milliseconds to ask again after, where the end of another's load cannot be heard. */
const DEAF = 100

/** Milliseconds that the message of an end may take: who asks again at the very end of a lease only finds it renewed. */
const MARGIN = 50

/** Whose turn it is to load a key: of all processes one at a time, and of those that die for the length of a lease. */
export class Turns {
  readonly #options: TurnsOptions
  readonly #waiting = new Map<string, Set<(ending: Ending) => void>>()
  readonly #unkept = new LRUCache<string, true>({ ...UNKEPT, perf: performance })
  /** Until when, monotonic milliseconds, another process has the lease, as far as is known. */
  readonly #theirs = new LRUCache<string, number>({ max: UNKEPT.max })

  constructor (options: TurnsOptions) {
    this.#options = options
  }

  /**
   * Never rejects.
   *
   * @param wanted each with the stamp of what Redis had when it was read; none where Redis did not answer
   * @param mark of what they are to be loaded from: whoever is loading them from something older is not waited for
   */
  async take (wanted: ReadonlyArray<{ readonly key: string, readonly stamp: Buffer | undefined }>, mark: string): Promise<Turn[]> {
    const { leases, keysOf, onRedisError } = this.#options
    const turns: Turn[] = wanted.map(() => ALONE)
    const asked: Array<{ place: number, ear: Ear, request: LeaseRequest }> = []
    wanted.forEach(({ key, stamp }, place) => {
      if (stamp === undefined || this.#unkept.has(key)) return
      const { value, lease } = keysOf(key)
      // Before it is asked for: the other's end may be told before we have read that it is the other's.
      asked.push({ place, ear: this.#listen(key), request: { key: lease, guarded: value, stamp, mark } })
    })
    if (asked.length === 0 || !leases.available) {
      for (const { ear } of asked) ear.stop()
      return turns
    }
    const answers = await leases.take(asked.map(({ request }) => request))
    const errors = new Set<unknown>()
    asked.forEach(({ place, ear }, index) => {
      const answer = answers[index]!
      if (answer.kind !== 'held') ear.stop()
      switch (answer.kind) {
        case 'own':
          turns[place] = { kind: 'ours', lease: answer.lease }
          break
        case 'held':
          turns[place] = { kind: 'theirs', ended: this.#ended(ear, answer.left) }
          this.#theirs.set(wanted[place]!.key, performance.now() + answer.left)
          break
        case 'changed':
          turns[place] = answer
          break
        case 'unanswered':
          turns[place] = UNANSWERED
          errors.add(answer.error)
      }
    })
    errors.forEach(onRedisError)
    return turns
  }

  /** While `load` runs the leases are ours, but not for longer than the longest load. */
  async keeping<T> (ours: ReadonlyArray<{ readonly lease: Lease | undefined }>, longest: number, load: () => Promise<T>): Promise<T> {
    const leases = ours.flatMap(({ lease }) => lease ?? [])
    if (leases.length === 0) return await load()
    const { leases: redis, onRedisError } = this.#options
    const end = performance.now() + longest
    const renewal = setInterval(() => {
      if (performance.now() < end) redis.renew(leases).catch(onRedisError)
      else clearInterval(renewal)
    }, redis.duration / 3).unref()
    try {
      return await load()
    } finally {
      clearInterval(renewal)
    }
  }

  /** The next one may load it, if it still has to: in another process, or in this one, where it came after something newer. */
  pass (ended: readonly Ended[]): void {
    const { leases, messages, onRedisError } = this.#options
    const held = new Map<Lease, Ended>()
    for (const one of ended) if (one.lease !== undefined && !one.isReleased) held.set(one.lease, one)
    const messageFor = (lease: Lease): string => {
      const { key, ending } = held.get(lease)!
      return messages.ofEnding(key, ending)
    }
    const released = held.size === 0 ? Promise.resolve() : leases.release([...held.keys()], messageFor).catch(onRedisError)
    // One does not hear oneself.
    void released.then(() => { for (const { key, ending } of ended) this.hear(key, ending) })
  }

  /** Whether another process is loading the key, as far as is known without asking. */
  isTheirs (key: string): boolean {
    return (this.#theirs.get(key) ?? 0) > performance.now()
  }

  /** What to tell of a value that has been kept. */
  endingOf (key: string): string {
    return this.#options.messages.ofEnding(key, 'kept')
  }

  /** Another process says so; or there is something newer, so that its load is not worth waiting for. */
  hear (key: string, ending: Ending): void {
    if (ending === 'unkept') this.#unkept.set(key, true)
    this.#theirs.delete(key)
    for (const tell of this.#waiting.get(key) ?? []) tell(ending)
  }

  /** The loads of others are not worth waiting for, or their ends may have been missed, or Redis has failed: all look again. */
  hearAll (): void {
    for (const key of this.#waiting.keys()) this.hear(key, 'failed')
  }

  #listen (key: string): Ear {
    const { promise, resolve } = withResolvers<Ending>()
    const others = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, others.add(resolve))
    return {
      heard: promise,
      stop: () => {
        others.delete(resolve)
        if (others.size === 0 && this.#waiting.get(key) === others) this.#waiting.delete(key)
      }
    }
  }

  async #ended ({ heard, stop }: Ear, left: number): Promise<Ending> {
    let timer: NodeJS.Timeout | undefined
    const over = new Promise<Ending>((resolve) => {
      timer = setTimeout(() => { resolve('failed') }, this.#options.hears() ? left + MARGIN : Math.min(left, DEAF))
    })
    try {
      return await Promise.race([heard, over])
    } finally {
      clearTimeout(timer)
      stop()
    }
  }
}

interface Ear {
  readonly heard: Promise<Ending>
  readonly stop: () => void
}

const UNANSWERED: Turn = { kind: 'unanswered' }
const ALONE: Turn = { kind: 'ours', lease: undefined }
