import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { OwnedShard } from './owned-shard.js'
import { Saving, type Part, type SavingOptions } from './saving.js'
import { FencedError } from './write-log.js'

export interface WorkerOptions extends SavingOptions {
  /** Milliseconds that a write waits, for others of its id to come. */
  delay: number
  /** Writes that are saved together, at most. */
  batch: number
  /** Batches that are saved at a time. */
  concurrency: number
}

/** Claims that are read ahead of those that are saved, in batches. */
const BATCHES_AHEAD = 2

/** Shards that are read at a time: together, large values would take longer than a command may. */
const READS = 4

/** Saves what waits in the shards that this process owns. */
export class Worker {
  readonly #options: WorkerOptions
  readonly #saving: Saving
  readonly #owned = new Map<number, OwnedShard>()
  /** Shards of which the lease is being asked for. */
  readonly #keeping = new Set<number>()
  /** Tokens under which it was asked for without an answer: it may have been given. */
  readonly #unanswered = new Map<number, string>()
  /** Batches that have not been acknowledged. */
  readonly #running = new Set<Promise<void>>()
  /** How many of them are being saved. */
  #saves = 0
  /** How many shards are being read. */
  #reads = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor (options: WorkerOptions) {
    this.#options = options
    this.#saving = new Saving(options)
  }

  get counts (): Readonly<Saving['counts']> {
    return this.#saving.counts
  }

  /** How many shards are this process' own. */
  get shards (): number {
    return this.#owned.size
  }

  owns (shard: number): boolean {
    return this.#owned.has(shard)
  }

  /** Something waits in the shard. */
  wake (shard: number): void {
    const owned = this.#owned.get(shard)
    if (owned === undefined) return
    const before = owned.nextRead
    owned.wake()
    if (owned.nextRead !== before) this.#pump()
  }

  /** Something may wait in any of them: messages were missed. */
  wakeAll (): void {
    for (const shard of this.#owned.values()) shard.wake()
    this.#pump()
  }

  /** Takes the shards that are this process' to own, keeps those that it owns, and gives back the others. Never rejects. */
  async tend (isOurs: (shard: number) => boolean, shards: number): Promise<void> {
    await Promise.all(Array.from({ length: shards }, async (_, shard) => { await this.tendOne(shard, isOurs(shard)) }))
  }

  async tendOne (shard: number, isOurs: boolean): Promise<void> {
    const owned = this.#owned.get(shard)
    if (owned !== undefined) owned.leaving = !isOurs
    // What is under way ends first: the next owner is not to begin beside it.
    if (isOurs || (owned?.underWay ?? 0) > 0) await this.#keep(shard)
    else if (owned !== undefined) await this.#giveBack(owned)
    this.#pump()
  }

  /** Saves what it can without waiting for what has failed; resolves when nothing more can be saved, or at the deadline. */
  async drain (deadline: number): Promise<void> {
    for (const shard of this.#owned.values()) shard.hasten()
    this.#pump()
    while (performance.now() < deadline && this.#options.log.available && !this.#isDrained()) await wait(Math.min(20, deadline - performance.now()))
  }

  /** What is under way is aborted; what has not been acknowledged stays for the next owner. */
  async close (): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    const owned = [...this.#owned.values()]
    // Where a save is under way, and may not heed that, the next owner is not to begin beside it: the lease ends by itself.
    const idle = owned.filter(({ underWay }) => underWay === 0)
    for (const shard of owned) shard.end(new Error('the app closes'))
    await Promise.all(this.#running)
    await Promise.all(idle.map(async (shard) => { await this.#giveBack(shard) }))
  }

  #isDrained (): boolean {
    const now = performance.now()
    return this.#running.size === 0 && (this.#saving.isPaused || [...this.#owned.values()].every((shard) => shard.leaving || !(shard.mayHaveMore || shard.nextDue! <= now)))
  }

  async #keep (shard: number): Promise<void> {
    // Under two tokens at once, the second would be refused for the first.
    if (this.#keeping.has(shard)) return
    this.#keeping.add(shard)
    await this.#tend(shard)
    this.#keeping.delete(shard)
  }

  /** Never rejects. */
  async #tend (shard: number): Promise<void> {
    const { log, lease, events } = this.#options
    const known = this.#owned.get(shard)
    const token = known?.token ?? this.#unanswered.get(shard) ?? randomBytes(12).toString('base64url')
    if (known === undefined) this.#unanswered.set(shard, token)
    const asked = performance.now()
    try {
      const waiting = await log.tend(shard, token, lease, known === undefined ? 'take' : 'renew')
      this.#unanswered.delete(shard)
      if (waiting === undefined) return known && this.#lose(known)
      // It may have been lost meanwhile, by another command's answer.
      if (this.#closed || (known !== undefined && this.#owned.get(shard) !== known)) return await this.#release(shard, token)
      const owned = known ?? this.#newOwned(shard, token)
      owned.renew(asked + lease)
      // Messages can be lost.
      if (waiting > 0) owned.wake()
    } catch (error) {
      events.onRedisError(error)
    }
  }

  #newOwned (shard: number, token: string): OwnedShard {
    const { log, delay, batch } = this.#options
    const owned = new OwnedShard({ log, shard, token, delay, ahead: BATCHES_AHEAD * batch, onUnreadable: (claim, error) => { void this.#saving.giveUp(owned, claim, error) } })
    this.#owned.set(shard, owned)
    return owned
  }

  async #giveBack (owned: OwnedShard): Promise<void> {
    this.#lose(owned)
    await this.#release(owned.shard, owned.token)
  }

  async #release (shard: number, token: string): Promise<void> {
    await this.#options.log.release(shard, token).catch(this.#options.events.onRedisError)
  }

  /** Another process can own it from now on. */
  #lose (owned: OwnedShard): void {
    owned.end(new FencedError())
    this.#remove(owned)
  }

  #remove (owned: OwnedShard): void {
    if (this.#owned.get(owned.shard) === owned) this.#owned.delete(owned.shard)
  }

  #pump (): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    for (const shard of this.#owned.values()) if (shard.lease.signal.aborted) this.#remove(shard)
    const owned = [...this.#owned.values()].filter(({ leaving }) => !leaving)
    for (const shard of owned) if (this.#reads < READS) void this.#read(shard)
    const free = (): boolean => this.#saves < this.#options.concurrency
    while (free() && !this.#saving.isPaused && this.#begin(owned)) { /* another one */ }
    const now = performance.now()
    const reads = this.#reads < READS ? Math.min(...owned.map(({ nextRead = Infinity }) => nextRead)) : Infinity
    const saves = free() ? Math.max(this.#saving.pausedUntil, Math.min(...owned.map((shard) => this.#saving.isSafe(shard) ? shard.nextDue ?? Infinity : Infinity))) : Infinity
    const next = Math.min(reads, saves)
    if (next < Infinity) this.#timer = setTimeout(() => { this.#pump() }, Math.max(1, next - now)).unref()
  }

  /** @returns whether there was anything to save */
  #begin (owned: readonly OwnedShard[]): boolean {
    const parts = this.#takeBatch(owned)
    if (parts.length === 0) return false
    this.#saves++
    const onSaved = (): void => {
      this.#saves--
      this.#pump()
    }
    const running = this.#saving.save(parts, onSaved).finally(() => {
      this.#running.delete(running)
      for (const { shard } of parts) {
        if (shard.lease.signal.aborted) this.#remove(shard)
        else if (shard.leaving && shard.underWay === 0) void this.#giveBack(shard)
      }
      this.#pump()
    })
    this.#running.add(running)
    return true
  }

  /** What has been due for longest comes first, so that no shard waits for another one that always has something. */
  #takeBatch (owned: readonly OwnedShard[]): Part[] {
    const now = performance.now()
    const due = owned
      .filter((shard) => this.#saving.isSafe(shard) && shard.nextDue! <= now)
      .sort((a, b) => (a.nextDue ?? Infinity) - (b.nextDue ?? Infinity))
    const parts: Part[] = []
    let room = this.#options.batch
    for (const shard of due) {
      const claims = shard.take(now, room)
      if (claims.length > 0) parts.push({ shard, claims })
      room -= claims.length
      if (room === 0) break
    }
    return parts
  }

  async #read (shard: OwnedShard): Promise<void> {
    if (!(shard.nextRead! <= performance.now())) return
    this.#reads++
    try {
      await shard.read()
    } catch (error) {
      if (error instanceof FencedError) this.#lose(shard)
      else this.#options.events.onRedisError(error)
    }
    this.#reads--
    this.#pump()
  }
}
