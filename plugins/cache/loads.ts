import type { Entry } from '../shared/entry.js'
import type { CacheStats } from './api.js'
import type { Fence } from './fences.js'
import type { Found } from './finding.js'
import { AGAIN, Flight, type FlightRules } from './flight.js'
import { dueEarly } from './freshness.js'
import type { Kept } from './kept.js'
import { LoadRun } from './load-run.js'
import { LoaderCalls, type Departure, type Loader, type LoaderCallsOptions, type Missing } from './loader-calls.js'
import { Loading } from './loading.js'
import type { Settings } from './settings.js'
import { SingleFlight } from './single-flight.js'
import { Throttle } from './throttle.js'
import type { Outdated, Tiers } from './tiers.js'

type LoadCounts = Pick<CacheStats, 'misses' | 'shared' | 'staleServed' | 'loads' | 'loadsElsewhere' | 'loadErrors'>

export interface LoadsOptions extends Omit<LoaderCallsOptions, 'flights' | 'throttle'> {
  /** Callers that may wait for one key. */
  maxWaiters: number
  /** A clock that nobody sets, milliseconds. */
  monotonicNow: () => number
}

/** Milliseconds for which a load is joined by those who may not have heard of a delete since it began. */
const UNHEARD = 500

/** A value that is still given out, and should be loaded anew. */
interface Due {
  readonly key: string
  readonly kept: Kept
}

/** What is being loaded: one load a key at a time, shared by all who ask for it. */
export class Loads implements FlightRules {
  readonly #counts = { misses: 0, shared: 0, staleServed: 0 }
  readonly #options: LoadsOptions
  readonly #tiers: Tiers
  readonly #flights = new SingleFlight<Flight>()
  readonly #throttle: Throttle
  readonly #calls: LoaderCalls
  readonly #loading: Loading

  constructor (options: LoadsOptions) {
    this.#options = options
    this.#tiers = options.tiers
    this.#throttle = new Throttle(options.monotonicNow)
    this.#calls = new LoaderCalls({ ...options, flights: this.#flights, throttle: this.#throttle })
    this.#loading = new Loading({ tiers: options.tiers, turns: options.turns, calls: this.#calls, find: (flights, departure) => this.#find(flights, departure) })
  }

  get counts (): LoadCounts {
    return { ...this.#counts, ...this.#calls.counts, loadsElsewhere: this.#loading.loadsElsewhere }
  }

  /** Who asks from now on shares nothing that began before. @returns the keys of what is not shared any more */
  forget (outdated: Exclude<Outdated, 'everything'>): string[] {
    if ('tags' in outdated) return this.#flights.forgetWhere(({ tags }) => tags.some((tag) => outdated.tags.has(tag)))
    this.#flights.forget(outdated.key)
    return [outdated.key]
  }

  forgetAll (): void {
    this.#flights.forgetAll()
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
      const flight = this.#join(key) ?? this.#depart([key], settings, loader)[0]!
      const outcome = await flight.outcome(settings, joined, waited)
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
      const again: string[] = []
      const arrival = async (flight: Flight): Promise<void> => {
        try {
          const outcome = await flight.outcome(settings, joined, waited)
          if (outcome === AGAIN) again.push(flight.key)
          else results.set(flight.key, { status: 'fulfilled', value: outcome })
        } catch (reason) {
          results.set(flight.key, { status: 'rejected', reason })
        }
      }
      const arrivals: Array<Promise<void>> = []
      const due: Due[] = []
      const departing: string[] = []
      for (const key of open) {
        const atHand = this.#atHand(key, settings)
        const flight = atHand === undefined ? this.#join(key) : undefined
        if (atHand !== undefined) {
          results.set(key, { status: 'fulfilled', value: atHand.kept.value })
          if (atHand.renew) due.push({ key, kept: atHand.kept })
        } else if (flight !== undefined) arrivals.push(arrival(flight))
        else departing.push(key)
      }
      if (due.length > 0) this.#renew(due, settings, loader)
      const departed = this.#depart(departing, settings, loader)
      // One who cannot be called off waits for all of them at once.
      const enters = settings.signal === undefined && departed.length > 0
      if (enters) {
        for (const flight of departed) flight.enter()
        await departed[0]!.reading
      }
      for (const flight of departed) {
        const found = enters ? flight.leave() : undefined
        if (found === undefined) arrivals.push(arrival(flight))
        else results.set(flight.key, { status: 'fulfilled', value: found })
      }
      await Promise.all(arrivals)
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
    this.#tiers.fences.overtake(key)
    const [flight] = this.#depart([key], settings, loader, { newerThan: [Infinity], anew: true })
    return await flight!.outcome({ ...settings, stale: -Infinity, staleOnError: -Infinity }, flight!.began) as Entry
  }

  get maxWaiters (): number {
    return this.#options.maxWaiters
  }

  acceptable (candidate: Kept, fence: Fence, over: number): boolean {
    return fence.state !== 'broken' && fence.state !== 'gap' && this.#options.now() - candidate.freshUntil < over && !this.#tiers.tags.voids(candidate)
  }

  onOffered ({ freshUntil }: Kept): void {
    if (freshUntil <= this.#options.now()) this.#counts.staleServed++
  }

  countMiss (): void {
    this.#counts.misses++
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
    this.#counts.staleServed++
    return { kept, renew: !pausing }
  }

  #join (key: string): Flight | undefined {
    const flight = this.#flights.get(key)
    // Deletes that are not heard do not end it. Who begins anew sees them in Redis, and there waits for the same load.
    if (flight === undefined || (this.#tiers.isDeaf && performance.now() - flight.since > UNHEARD)) return undefined
    this.#counts.shared++
    return flight
  }

  /** In the background: nobody waits for it, and none begins beside another, here or in another process. */
  #renew (due: readonly Due[], settings: Settings, loader: Loader): void {
    const { turns } = this.#options
    const idle = due.filter(({ key }) => this.#flights.get(key) === undefined && turns?.isTheirs(key) !== true)
    if (idle.length === 0) return
    const [flight] = this.#depart(idle.map(({ key }) => key), settings, loader, { newerThan: idle.map(({ kept }) => kept.freshUntil) })
    flight!.run.wantAnyhow()
  }

  /**
   * @param newerThan for a renewal, of each key: what ends no later in Redis is no news
   * @param anew whether what is kept is to be replaced, whatever it is
   */
  #depart (
    keys: readonly string[], settings: Settings, loader: Loader, { newerThan, anew = false }: { newerThan?: readonly number[], anew?: boolean } = {}
  ): Flight[] {
    if (keys.length === 0) return []
    const run = new LoadRun(keys)
    const moment = this.#tiers.tags.moment()
    const flights = keys.map((key, index) => {
      const fence = this.#tiers.fences.open(key, 'read')
      const flight = this.#flights.depart(new Flight(run, fence, settings.tags, moment, this, newerThan?.[index]))
      const kept = this.#tiers.recall(key)
      if (kept !== undefined) flight.offer(kept)
      return flight
    })
    const reading = this.#read(flights, { run, settings, loader, anew })
    for (const flight of flights) flight.reading = reading
    return flights
  }

  /** Asks Redis, and has loaded what it has nothing for, but does not wait for that. Never rejects; nobody is left waiting. */
  async #read (flights: readonly Flight[], departure: Departure): Promise<void> {
    try {
      const missing = await this.#find(flights, departure)
      if (missing.length === 0) return
      this.#counts.misses += missing.filter(({ flight }) => flight.newerThan === undefined && !this.#hasFor(flight, departure.settings)).length
      void this.#loading.load(missing, departure)
    } catch (error) {
      for (const flight of flights) this.#calls.fail(flight, error)
    }
  }

  /** Lands the flights that Redis has something for. @returns the others */
  async #find (flights: readonly Flight[], { settings, loader }: Departure): Promise<Missing[]> {
    const began = this.#options.now()
    const found = await this.#tiers.find(flights.map(({ fence }) => fence), settings.tags, settings.maxBytes)
    const now = this.#options.now()
    const due: Due[] = []
    const missing: Missing[] = []
    flights.forEach((flight, index) => {
      flight.reading = undefined
      if (this.#landOn(found[index]!, flight, settings, now, due)) this.#calls.close(flight)
      else missing.push({ flight, stamp: found[index]!.state?.stamp, began })
    })
    if (due.length > 0) this.#renew(due, settings, loader)
    return missing
  }

  /** Whether its caller need not wait for the load. */
  #hasFor (flight: Flight, { stale }: Settings): boolean {
    return flight.candidate !== undefined && flight.accepts(flight.candidate, stale)
  }

  /** @returns whether the flight has landed, with what Redis has; adds it to `due` where that should be renewed */
  #landOn ({ kept, state }: Found, flight: Flight, settings: Settings, now: number, due: Due[]): boolean {
    const { key, newerThan } = flight
    if (kept !== undefined && kept.freshUntil > Math.max(now, newerThan ?? -Infinity) && !this.#tiers.tags.voids(kept)) {
      this.#tiers.counts.redisHits++
      flight.landFound(kept.value)
      if (newerThan === undefined && this.#isDue(key, kept, settings)) due.push({ key, kept })
      return true
    }
    if (kept !== undefined) flight.offer(kept)
    else if (state?.opened.kind === 'tombstone') flight.withdraw()
    const { candidate } = flight
    if (newerThan !== undefined || candidate === undefined || !this.#throttle.pausing(key)) return false
    if (!flight.accepts(candidate, Math.max(settings.stale, settings.staleOnError))) return false
    flight.landStale()
    return true
  }

  #isDue (key: string, kept: Kept, { refreshAhead }: Settings): boolean {
    return refreshAhead !== false && !this.#throttle.pausing(key) && dueEarly(kept, refreshAhead, this.#options.now(), this.#options.random)
  }
}
