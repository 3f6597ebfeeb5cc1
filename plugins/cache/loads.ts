import { inSpan } from '../shared/spans.js'
import type { Load, LoadContext } from './api.js'
import { loaded as loadedChannel } from './channels.js'
import { entryOf, uncopied, type Entry } from './entry.js'
import type { Fence } from './fences.js'
import { AGAIN, Flight, type FlightRules } from './flight.js'
import { dueEarly, lifetime, retentionOf } from './freshness.js'
import type { Kept } from './kept.js'
import { OwnLoadContext } from './load-context.js'
import { LoadRun } from './load-run.js'
import { missingSettings, type Settings } from './settings.js'
import { SingleFlight } from './single-flight.js'
import { Throttle } from './throttle.js'
import type { Found, Keepable, Outdated, Own, Snapshot, Tiers } from './tiers.js'

/** What a loader has for one key. */
export type Loaded =
  | { readonly value: unknown, readonly missing?: boolean }
  | { readonly error: unknown }

/** Loads all of the keys, and answers in their order. */
export type Loader = (keys: readonly string[], context: LoadContext) => Promise<readonly Loaded[]>

export function single (load: Load<unknown>): Loader {
  return async (_keys, context) => [{ value: await load(context) }]
}

export interface LoadsOptions {
  tiers: Tiers
  /** Callers that may wait for one key. */
  maxWaiters: number
  /** Milliseconds after which a load is aborted, and no longer waited for by those who come then. */
  longestLoad: number
  /** Wall clock, milliseconds. */
  now: () => number
  random: () => number
  onUnsupported: (part: string) => void
}

/** A flight that Redis had nothing fresh for. */
interface Missing {
  readonly flight: Flight
  readonly stamp: Buffer | undefined
}

/** A value that is still given out, and should be loaded anew. */
interface Due {
  readonly key: string
  readonly kept: Kept
}

/** What is being loaded: one load a key at a time, shared by all who ask for it. */
export class Loads implements FlightRules {
  readonly counts = { misses: 0, loads: 0, loadErrors: 0, shared: 0, staleServed: 0, unsupported: 0, oversized: 0 }
  readonly #options: LoadsOptions
  readonly #tiers: Tiers
  readonly #flights = new SingleFlight<Flight>()
  readonly #throttle: Throttle

  constructor (options: LoadsOptions) {
    this.#options = options
    this.#tiers = options.tiers
    this.#throttle = new Throttle(options.now)
  }

  /** Who asks from now on shares nothing that began before. */
  forget (outdated: Outdated): void {
    if (outdated === 'everything') this.#flights.forgetAll()
    else if ('key' in outdated) this.#flights.forget(outdated.key)
    else this.#flights.forgetWhere(({ tags }) => tags.some((tag) => outdated.tags.has(tag)))
  }

  async ask (key: string, settings: Settings, loader: Loader): Promise<Entry> {
    for (let waited = 0; ;) {
      settings.signal?.throwIfAborted()
      const atHand = this.#atHand(key, settings)
      if (atHand !== undefined) {
        if (atHand.renew) this.#renew([{ key, kept: atHand.kept }], settings, loader)
        return atHand.kept.value
      }
      const joined = this.#tiers.tags.moment()
      const since = performance.now()
      const outcome = await (this.#join(key) ?? this.#depart([key], settings, loader)[0]!).wait(settings, joined, waited)
      if (outcome !== AGAIN) return outcome
      waited += performance.now() - since
    }
  }

  /** The outcome for each key; keys are distinct. */
  async askMany (keys: readonly string[], settings: Settings, loader: Loader): Promise<Map<string, PromiseSettledResult<Entry>>> {
    const results = new Map<string, PromiseSettledResult<Entry>>()
    const start = performance.now()
    let waited = 0
    for (let open = keys; open.length > 0;) {
      settings.signal?.throwIfAborted()
      const joined = this.#tiers.tags.moment()
      const waits: Flight[] = []
      const due: Due[] = []
      const departing: string[] = []
      for (const key of open) {
        const atHand = this.#atHand(key, settings)
        const flight = atHand === undefined ? this.#join(key) : undefined
        if (atHand !== undefined) {
          results.set(key, { status: 'fulfilled', value: atHand.kept.value })
          if (atHand.renew) due.push({ key, kept: atHand.kept })
        } else if (flight !== undefined) waits.push(flight)
        else departing.push(key)
      }
      if (due.length > 0) this.#renew(due, settings, loader)
      if (departing.length > 0) waits.push(...this.#depart(departing, settings, loader))
      const again: string[] = []
      await Promise.all(waits.map(async (flight) => {
        try {
          const outcome = await flight.wait(settings, joined, waited)
          if (outcome === AGAIN) again.push(flight.key)
          else results.set(flight.key, { status: 'fulfilled', value: outcome })
        } catch (reason) {
          results.set(flight.key, { status: 'rejected', reason })
        }
      }))
      settings.signal?.throwIfAborted()
      open = again
      waited = performance.now() - start
    }
    return results
  }

  /** Loads now, whatever is kept or on its way: that may be older than the wish. @throws ReentryError */
  async refreshNow (key: string, settings: Settings, loader: Loader): Promise<Entry> {
    LoadRun.current?.refuse(key)
    this.#flights.forget(key)
    this.#tiers.fences.breakReads(key)
    const [flight] = this.#depart([key], settings, loader, [Infinity])
    const outcome = await flight!.wait({ ...settings, stale: -Infinity, staleOnError: -Infinity }, flight!.began)
    return outcome === AGAIN ? await this.refreshNow(key, settings, loader) : outcome
  }

  get maxWaiters (): number {
    return this.#options.maxWaiters
  }

  acceptable (candidate: Kept, fence: Fence, over: number): boolean {
    return fence.state !== 'broken' && this.#options.now() - candidate.freshUntil < over && !this.#tiers.tags.voids(candidate)
  }

  onOffered ({ freshUntil }: Kept): void {
    if (freshUntil <= this.#options.now()) this.counts.staleServed++
  }

  /** @returns what can be kept of a value; counts why not */
  keepable (own: Own | { readonly unsupported: string }, settings: Settings): Own | undefined {
    if ('unsupported' in own) {
      this.counts.unsupported++
      this.#options.onUnsupported(own.unsupported)
      return undefined
    }
    if (own.bytes.length <= settings.maxBytes) return own
    this.counts.oversized++
    return undefined
  }

  /** What memory has for such a call, and whether it should be loaded anew in the background. */
  #atHand (key: string, settings: Settings): { readonly kept: Kept, readonly renew: boolean } | undefined {
    const kept = this.#tiers.recall(key)
    if (kept === undefined) return undefined
    const over = this.#options.now() - kept.freshUntil
    if (over < 0) {
      this.#tiers.counts.memoryHits++
      return { kept, renew: this.#isDue(key, kept, settings) }
    }
    const pausing = this.#throttle.pausing(key)
    if (over >= settings.stale && !(pausing && over < settings.staleOnError)) return undefined
    this.counts.staleServed++
    return { kept, renew: !pausing }
  }

  #join (key: string): Flight | undefined {
    const flight = this.#flights.get(key)
    if (flight !== undefined) this.counts.shared++
    return flight
  }

  /** In the background: nobody waits for it, and none begins beside another. */
  #renew (due: readonly Due[], settings: Settings, loader: Loader): void {
    const idle = due.filter(({ key }) => this.#flights.get(key) === undefined)
    if (idle.length === 0) return
    const [flight] = this.#depart(idle.map(({ key }) => key), settings, loader, idle.map(({ kept }) => kept.freshUntil))
    flight!.run.want(undefined)
  }

  /** @param newerThan for a renewal: what ends earlier in Redis is no news */
  #depart (keys: readonly string[], settings: Settings, loader: Loader, newerThan?: readonly number[]): Flight[] {
    const run = new LoadRun(keys)
    const began = this.#tiers.tags.moment()
    const flights = keys.map((key) => {
      const fence = this.#tiers.fences.open(key, 'read')
      const flight = this.#flights.depart(new Flight(run, fence, settings.tags, began, this))
      const kept = this.#tiers.recall(key)
      if (kept !== undefined) flight.offer(kept)
      return flight
    })
    void this.#fly(flights, run, settings, loader, newerThan)
    return flights
  }

  /** Never rejects; whatever happens, nobody is left waiting. */
  async #fly (flights: readonly Flight[], run: LoadRun, settings: Settings, loader: Loader, newerThan: readonly number[] | undefined): Promise<void> {
    const began = this.#options.now()
    try {
      const found = await this.#tiers.find(flights.map(({ fence }) => fence), settings.tags, settings.maxBytes)
      const due: Due[] = []
      const missing: Missing[] = []
      flights.forEach((flight, index) => {
        if (!this.#landOn(found[index]!, flight, settings, newerThan?.[index], due)) missing.push({ flight, stamp: found[index]!.stamp })
      })
      if (due.length > 0) this.#renew(due, settings, loader)
      if (missing.length > 0) await this.#load(missing, run, settings, loader, began, newerThan?.[0] === Infinity)
    } catch (error) {
      for (const flight of flights) this.#fail(flight, error)
    } finally {
      for (const flight of flights) {
        this.#flights.land(flight)
        this.#tiers.fences.close(flight.fence)
      }
    }
  }

  /** @returns whether the flight has landed, with what Redis has; adds it to `due` where that should be renewed */
  #landOn ({ kept }: Found, flight: Flight, settings: Settings, newerThan: number | undefined, due: Due[]): boolean {
    const { key } = flight
    if (kept !== undefined && kept.freshUntil > Math.max(this.#options.now(), newerThan ?? -Infinity)) {
      this.#tiers.counts.redisHits++
      this.#land(flight, kept.value, [])
      if (newerThan === undefined && this.#isDue(key, kept, settings)) due.push({ key, kept })
      return true
    }
    if (kept !== undefined) flight.offer(kept)
    const { candidate } = flight
    if (newerThan !== undefined || candidate === undefined || !this.#throttle.pausing(key)) return false
    if (!flight.accepts(candidate, Math.max(settings.stale, settings.staleOnError))) return false
    this.#flights.land(flight)
    flight.landStale()
    return true
  }

  /** @param firm whether a value of another process that this one may not overwrite is not to stand either */
  async #load (missing: readonly Missing[], run: LoadRun, settings: Settings, loader: Loader, began: number, firm: boolean): Promise<void> {
    const { now, random } = this.#options
    if (run.abandoned && missing.every(({ flight }) => !flight.awaited)) {
      for (const { flight } of missing) this.#fail(flight, undefined)
      return
    }
    this.counts.misses += missing.length
    const snapshot = await this.#tiers.snapshot(settings.tags, retentionOf(settings))
    const flights = missing.map(({ flight }) => flight)
    for (const flight of flights) flight.loading()
    const context = new OwnLoadContext(run, flights.length === 1 ? this.#staleOf(flights[0]!) : undefined)
    const start = performance.now()
    const loaded = await this.#callLoader(flights, run, loader, context)
    const loadTime = performance.now() - start

    const tagged = await this.#withTags(snapshot, context, settings)
    const landings: Array<{ flight: Flight, entry: Entry }> = []
    const keepables: Keepable[] = []
    // Of which the source has something else now that is not to be kept: nor is what it had.
    const outdated: string[] = []
    missing.forEach(({ flight, stamp }, index) => {
      const one = loaded[index]!
      if ('error' in one) {
        this.counts.loadErrors++
        if (!run.abandoned) this.#throttle.failed(flight.key)
        this.#fail(flight, one.error)
        return
      }
      this.#throttle.succeeded(flight.key)
      const made = entryOf(one.value)
      landings.push({ flight, entry: 'unsupported' in made ? uncopied(one.value) : made.entry })
      const own = this.keepable(made, settings)
      // ttl(0) keeps nothing, and not that there is none either.
      const rules = one.missing === true && context.ownTtl !== 0 ? missingSettings(settings) : { ...settings, ttl: context.ownTtl ?? settings.ttl }
      if (own === undefined || rules.ttl === 0 || tagged === undefined) {
        if (flight.candidate !== undefined && flight.fence.state === 'intact') outdated.push(flight.key)
        return
      }
      const held = { ...lifetime(rules, now(), random), value: own.entry, loadTime, tags: tagged.tags }
      keepables.push({ fence: flight.fence, stamp, held, bytes: own.bytes, began, snapshot: tagged, firm })
    })
    await Promise.all([this.#tiers.keep(keepables), ...outdated.map((key) => this.#tiers.delete(key))])
    const tags = [...settings.tags, ...context.tagsBeyond(settings.tags)]
    for (const { flight, entry } of landings) this.#land(flight, entry, tags)
  }

  async #callLoader (flights: readonly Flight[], run: LoadRun, loader: Loader, context: LoadContext): Promise<readonly Loaded[]> {
    const keys = flights.map(({ key }) => key)
    this.counts.loads++
    const start = performance.now()
    const tell = (outcome: { error?: unknown }): void => {
      loadedChannel.publish(() => ({ key: keys[0]!, keys: keys.length, elapsed: performance.now() - start, ...outcome }))
    }
    const tooLong = setTimeout(() => {
      for (const flight of flights) {
        this.#flights.land(flight)
        this.#tiers.fences.late(flight.fence)
      }
      run.abort(new DOMException(`The load took longer than ${this.#options.longestLoad} ms`, 'TimeoutError'))
    }, this.#options.longestLoad).unref()
    try {
      const loaded = await run.run(() => inSpan('cache load', () => loader(keys, context)))
      tell({})
      return loaded
    } catch (error) {
      tell({ error })
      return keys.map(() => ({ error }))
    } finally {
      clearTimeout(tooLong)
    }
  }

  async #withTags (snapshot: Snapshot, context: OwnLoadContext, settings: Settings): Promise<Snapshot | undefined> {
    const more = context.tagsBeyond(settings.tags)
    return more.length === 0 ? snapshot : await this.#tiers.withTags(snapshot, more, context.ownTtl ?? settings.ttl)
  }

  #staleOf ({ candidate, fence }: Flight): unknown {
    return candidate === undefined || fence.state === 'broken' || this.#tiers.tags.voids(candidate) ? undefined : candidate.value.value()
  }

  #isDue (key: string, kept: Kept, { refreshAhead }: Settings): boolean {
    return refreshAhead !== false && !this.#throttle.pausing(key) && dueEarly(kept, refreshAhead, this.#options.now(), this.#options.random)
  }

  /** @param tags of the value; who joined after one of them was invalidated asks again */
  #land (flight: Flight, entry: Entry, tags: readonly string[]): void {
    this.#flights.land(flight)
    flight.land(entry, tags.some((tag) => this.#tiers.tags.invalidatedSince(tag, flight.began)))
  }

  #fail (flight: Flight, error: unknown): void {
    this.#flights.land(flight)
    flight.fail(error)
  }
}
