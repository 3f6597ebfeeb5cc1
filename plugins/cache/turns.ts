import { LRUCache } from 'lru-cache'
import { atMost } from '../shared/lru-bound.js'
import type { Lease, LeaseRequest, RedisLeases } from '../shared/redis-leases.js'
import type { RedisKeys } from '../shared/redis-tier.js'
import type { TagGeneration } from '../shared/tier.js'
import { withResolvers } from '../shared/with-resolvers.js'
import type { Messages } from './messages.js'

/**
 * How a load ended: its value is in Redis, the source failed, it gave what is not to be kept there, or nothing came of it, since
 * whoever asked has left, it was outdated, or its process has ended.
 */
export type Ending = 'kept' | 'failed' | 'unkept' | 'dropped'

/** What the wait for another's load ended with: how that ended, that it is to be looked at again, or that Redis does not answer. */
export type Heard = Ending | 'unknown' | 'unanswered'

export type Turn =
  /** To be loaded by us; without a lease where Redis cannot say whose turn it is, or where taking turns is of no use. */
  | { readonly kind: 'ours', readonly lease: Lease | undefined }
  /** Another process is loading it, or another load of this one. */
  | Theirs
  /** Redis has something else for it since it was read. */
  | { readonly kind: 'changed' }
  /** Redis did not say. To be loaded by us, and not to be written there: that would only take another command's time. */
  | { readonly kind: 'unanswered' }

/** One of `wait` and `leave` is to be called, once. */
export interface Theirs {
  readonly kind: 'theirs'
  /** Whether it is this process that has the lease. */
  readonly isOwn: boolean
  /** Milliseconds until the lease ends, unless it is renewed. */
  readonly left: number
  /** Resolves when the load has ended, or is to be looked at again. Never rejects. */
  readonly wait: () => Promise<Heard>
  /** It is not waited for. */
  readonly leave: () => void
}

/** Of a load of ours. */
export interface Ended {
  readonly key: string
  readonly lease: Lease | undefined
  readonly ending: Ending
}

export interface TurnsOptions {
  leases: RedisLeases
  messages: Messages
  keys: RedisKeys
  /** Whether the other processes are heard now. */
  hears: () => boolean
  onRedisError: (error: unknown) => void
}

/** Keys whose values were last not to be kept: to load those one after the other would only make them slow. */
const UNKEPT = { most: 10_000, ttl: 10_000 }

/** Milliseconds to ask again after, where the end of another's load cannot be heard. */
const DEAF = 100

/** Milliseconds after which Redis is told once more of an end that it could not be told of. */
const AGAIN = 200

/** Milliseconds that the message of an end may take: who asks again at the very end of a lease only finds it renewed. */
const MARGIN = 50

/** Whose turn it is to load a key: of all processes one at a time, and of those that die for the length of a lease. */
export class Turns {
  readonly #options: TurnsOptions
  readonly #waiting = new Map<string, Set<(heard: Heard) => void>>()
  readonly #unkept = new LRUCache<string, true>({ ...atMost(UNKEPT.most), ttl: UNKEPT.ttl, perf: performance })
  /** Until when, monotonic milliseconds, another process has the lease, as far as is known. */
  readonly #theirs = new LRUCache<string, number>(atMost(UNKEPT.most))
  /** Leases of ours that have not ended, by the key that they are for. */
  readonly #own = new Map<string, Lease>()
  #closed = false
  #givingUp = false

  constructor (options: TurnsOptions) {
    this.#options = options
  }

  /**
   * Never rejects.
   *
   * @param wanted each with the stamp of what Redis had when it was read; none where Redis did not answer
   * @param basis what they are to be loaded from: whoever is loading them from something older is not waited for
   */
  async take (wanted: ReadonlyArray<{ readonly key: string, readonly stamp: Buffer | undefined }>, basis: readonly TagGeneration[]): Promise<Turn[]> {
    const { leases, keys, onRedisError } = this.#options
    const turns: Turn[] = wanted.map(() => ALONE)
    const asked: Array<{ place: number, ear: Ear, request: LeaseRequest }> = []
    wanted.forEach(({ key, stamp }, place) => {
      if (stamp === undefined || this.#unkept.has(key)) return
      const value = keys.value(key)
      // Before it is asked for: the other's end may be told before we have read that it is the other's.
      asked.push({ place, ear: this.#listen(key), request: { key: keys.lease(value), guarded: value, stamp } })
    })
    if (asked.length === 0 || !leases.available) {
      for (const { ear } of asked) ear.stop()
      return turns
    }
    const answers = await leases.take(asked.map(({ request }) => request), basis)
    const errors = new Set<unknown>()
    const lost: Ended[] = []
    asked.forEach(({ place, ear }, index) => {
      const answer = answers[index]!
      const { key } = wanted[place]!
      if (answer.kind !== 'held') ear.stop()
      switch (answer.kind) {
        case 'own':
          turns[place] = { kind: 'ours', lease: answer.lease }
          this.#own.set(key, answer.lease)
          break
        case 'held':
          turns[place] = this.#theirTurn(key, ear, answer.left)
          break
        case 'changed':
          turns[place] = answer
          break
        case 'unanswered':
          turns[place] = UNANSWERED
          errors.add(answer.error)
          // Given all the same, be it before Redis refused the rest of the script, it would have others wait for nobody.
          lost.push({ key, lease: answer.lease, ending: 'dropped' })
      }
    })
    for (const error of errors) onRedisError(error)
    void this.#release(lost)
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
    for (const { key, lease } of ended) if (lease !== undefined && this.#own.get(key) === lease) this.#own.delete(key)
    // That of a value that was kept has ended with the write.
    const released = this.#release(ended.filter(({ ending }) => ending !== 'kept'))
    // One does not hear oneself.
    void released.then(() => { for (const { key, ending } of ended) this.hear(key, ending) })
  }

  /** The others need not wait for the loads that are under way. */
  close (): void {
    void this.#release([...this.#own].map(([key, lease]) => ({ key, lease, ending: 'dropped' })))
    this.#own.clear()
    this.#closed = true
    for (const key of this.#waiting.keys()) this.hear(key, 'unanswered')
  }

  /** Whether another process is loading the key, as far as is known without asking. */
  isTheirs (key: string): boolean {
    return (this.#theirs.get(key) ?? 0) > performance.now()
  }

  /** What to tell of a value that has been kept. */
  endingOf (key: string): string {
    return this.#options.messages.ofEnding(key, 'kept')
  }

  /** How a load has ended, here or as another process says; or that it is not worth waiting for any more. */
  hear (key: string, heard: Heard): void {
    if (heard === 'unkept') this.#unkept.set(key, true)
    if (heard === 'kept') this.#unkept.delete(key)
    this.#theirs.delete(key)
    for (const tell of this.#waiting.get(key) ?? []) tell(heard)
  }

  /** The loads of others are not worth waiting for, or their ends may have been missed. */
  lookAgain (): void {
    for (const key of this.#waiting.keys()) this.hear(key, 'unknown')
  }

  /** Redis, or a node of a Cluster, may not have answered: then nobody is to wait for it once more. */
  giveUpFailing (): void {
    if (this.#givingUp || this.#waiting.size === 0) return
    this.#givingUp = true
    // Once for all that has failed at the same time.
    queueMicrotask(() => {
      this.#givingUp = false
      const { leases, keys } = this.#options
      for (const key of this.#waiting.keys()) if (leases.isFailing(keys.value(key))) this.hear(key, 'unanswered')
    })
  }

  async #release (ended: readonly Ended[]): Promise<void> {
    const { leases, messages, onRedisError } = this.#options
    const held = new Map<Lease, Ended>()
    for (const one of ended) if (one.lease !== undefined) held.set(one.lease, one)
    if (held.size === 0) return
    const messageFor = (lease: Lease): string => {
      const { key, ending } = held.get(lease)!
      return messages.ofEnding(key, ending)
    }
    try {
      await leases.release([...held.keys()], messageFor)
    } catch (error) {
      onRedisError(error)
      // Where the connection was cut, others wait for the rest of the lease.
      if (!this.#closed) setTimeout(() => { leases.release([...held.keys()], messageFor).catch(() => {}) }, AGAIN).unref()
    }
  }

  #theirTurn (key: string, ear: Ear, left: number): Theirs {
    const until = performance.now() + left
    if (ear.heard === undefined) this.#theirs.set(key, until)
    return { kind: 'theirs', isOwn: this.#own.has(key), left, wait: () => this.#ended(ear, until), leave: ear.stop }
  }

  #listen (key: string): Ear {
    const { promise, resolve } = withResolvers<Heard>()
    const others = this.#waiting.get(key) ?? new Set()
    const tell = (heard: Heard): void => {
      ear.heard ??= heard
      resolve(heard)
    }
    const ear: Ear = {
      heard: undefined,
      hears: promise,
      stop: () => {
        others.delete(tell)
        if (others.size === 0 && this.#waiting.get(key) === others) this.#waiting.delete(key)
      }
    }
    this.#waiting.set(key, others.add(tell))
    return ear
  }

  async #ended ({ hears, stop }: Ear, until: number): Promise<Heard> {
    let timer: NodeJS.Timeout | undefined
    const over = new Promise<Heard>((resolve) => {
      const left = Math.max(0, until - performance.now())
      timer = setTimeout(() => { resolve('unknown') }, this.#options.hears() ? left + MARGIN : Math.min(left, DEAF)).unref()
    })
    try {
      return await Promise.race([hears, over])
    } finally {
      clearTimeout(timer)
      stop()
    }
  }
}

interface Ear {
  /** What it has heard first. */
  heard: Heard | undefined
  readonly hears: Promise<Heard>
  readonly stop: () => void
}

const UNANSWERED: Turn = { kind: 'unanswered' }
const ALONE: Turn = { kind: 'ours', lease: undefined }
