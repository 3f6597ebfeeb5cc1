import { entryOf, uncopied, type Entry } from '../shared/entry.js'
import type { Lease } from '../shared/redis-leases.js'
import { inSpan } from '../shared/spans.js'
import type { Admission } from './admission.js'
import type { Load, LoadContext } from './api.js'
import { loaded as loadedChannel } from './channels.js'
import type { Flight } from './flight.js'
import { lifetime, retentionOf } from './freshness.js'
import type { Snapshot } from './generations.js'
import { OwnLoadContext } from './load-context.js'
import type { Keepable } from './keeping.js'
import type { LoadRun } from './load-run.js'
import { missingSettings, type Settings } from './settings.js'
import type { SingleFlight } from './single-flight.js'
import type { Throttle } from './throttle.js'
import type { Tiers } from './tiers.js'
import type { Ending, Turns } from './turns.js'

/** What a loader has for one key. */
export type Loaded =
  | { readonly value: unknown, readonly missing?: boolean }
  | { readonly error: unknown }

/** Loads all of the keys, and answers in their order. */
export type Loader = (keys: readonly string[], context: LoadContext) => Promise<readonly Loaded[]>

export function single (load: Load<unknown>): Loader {
  return async (_keys, context) => [{ value: await load(context) }]
}

export interface LoaderCallsOptions {
  tiers: Tiers
  /** Undefined: each process loads for itself. */
  turns: Turns | undefined
  flights: SingleFlight<Flight>
  throttle: Throttle
  admission: Admission
  /** Milliseconds after which a load is aborted, and no longer waited for by those who come then. */
  longestLoad: number
  /** Wall clock, milliseconds. */
  now: () => number
  random: () => number
}

/** What flights have in common that departed together. */
export interface Departure {
  readonly run: LoadRun
  readonly settings: Settings
  readonly loader: Loader
  /** Whether whatever is kept is to be replaced. */
  readonly anew: boolean
}

/** A flight that Redis had nothing fresh for. */
export interface Missing {
  readonly flight: Flight
  readonly stamp: Buffer | undefined
  /** Wall-clock milliseconds, before Redis was asked. */
  readonly began: number
}

/** One that is ours to load. */
export interface Ours extends Missing {
  readonly lease: Lease | undefined
}

/** How the loads of one loader have ended, and whether that has been told. */
interface Endings {
  readonly of: Map<string, Ending>
  told: boolean
}

/** Calls loaders, keeps what they give, and lands the flights with it. */
export class LoaderCalls {
  readonly counts = { loads: 0, loadErrors: 0 }
  readonly #options: LoaderCallsOptions
  readonly #tiers: Tiers

  constructor (options: LoaderCallsOptions) {
    this.#options = options
    this.#tiers = options.tiers
  }

  /** Never rejects; whatever happens, nobody is left waiting. */
  async load (ours: readonly Ours[], snapshot: Snapshot, departure: Departure): Promise<void> {
    const { turns, longestLoad } = this.#options
    const endings: Endings = { of: new Map(), told: false }
    try {
      const load = (): Promise<void> => this.#load(ours, snapshot, departure, endings)
      await (turns === undefined ? load() : turns.keeping(ours, longestLoad, load))
    } catch (error) {
      for (const { flight } of ours) this.fail(flight, error)
    } finally {
      for (const { flight } of ours) this.close(flight)
      this.#pass(ours, endings, departure.run.abandoned ? 'dropped' : 'failed')
    }
  }

  fail (flight: Flight, error: unknown): void {
    this.close(flight)
    flight.fail(error)
  }

  /** Who comes from now on begins anew, and nothing more is kept of it. */
  close (flight: Flight): void {
    this.#options.flights.land(flight)
    this.#tiers.fences.close(flight.fence)
  }

  /** The next ones may load what they still have to. @param otherwise how those ended of which nothing else is known */
  #pass (ours: readonly Ours[], endings: Endings, otherwise: Ending): void {
    if (endings.told) return
    endings.told = true
    this.#options.turns?.pass(ours.map(({ flight: { key }, lease }) => ({ key, lease, ending: endings.of.get(key) ?? otherwise })))
  }

  /** @param endings to be filled in */
  async #load (ours: readonly Ours[], snapshot: Snapshot, { run, settings, loader, anew }: Departure, endings: Endings): Promise<void> {
    const { now, random, turns, flights: table, throttle, admission } = this.#options
    const flights = ours.map(({ flight }) => flight)
    if (run.abandoned && flights.every(({ awaited }) => !awaited)) {
      for (const flight of flights) this.fail(flight, undefined)
      return
    }
    const context = new OwnLoadContext(run, flights.length === 1 ? this.#staleOf(flights[0]!) : undefined)
    const start = performance.now()
    const loaded = await this.#callLoader(ours, run, loader, context, endings)
    const loadTime = performance.now() - start

    const tagged = await this.#extended(snapshot, context, settings)
    const landings: Array<{ flight: Flight, entry: Entry }> = []
    const keepables: Keepable[] = []
    // Of which the source has something else now that is not to be kept: nor is what it had.
    const outdated: string[] = []
    ours.forEach(({ flight, stamp, lease, began }, index) => {
      const { key } = flight
      const one = loaded[index]!
      if ('error' in one) {
        this.counts.loadErrors++
        if (!run.abandoned) {
          throttle.failed(key)
          endings.of.set(key, 'failed')
        }
        this.fail(flight, one.error)
        return
      }
      throttle.succeeded(key)
      const made = entryOf(one.value)
      landings.push({ flight, entry: 'unsupported' in made ? uncopied(one.value) : made.entry })
      const own = admission.admit(key, made, settings)
      // ttl(0) keeps nothing, and not that there is none either.
      const rules = one.missing === true && context.ownTtl !== 0 ? missingSettings(settings) : { ...settings, ttl: context.ownTtl ?? settings.ttl }
      if (own === undefined || rules.ttl === 0 || tagged === undefined) {
        if (tagged !== undefined) endings.of.set(key, 'unkept')
        if ((anew || flight.candidate !== undefined) && flight.fence.state === 'intact') outdated.push(key)
        return
      }
      const held = { ...lifetime(rules, now(), random), value: own.entry, loadTime, tags: tagged.tags }
      keepables.push({ fence: flight.fence, stamp, lease: lease === undefined ? undefined : { token: lease.token, message: turns!.endingOf(key) }, held, bytes: own.bytes, began, snapshot: tagged })
    })
    const keeping = anew ? keepables.map((one) => this.#tiers.keeping.keepAnew(one)) : [this.#keep(keepables, endings)]
    await Promise.all([...keeping, ...outdated.map((key) => this.#tiers.outdate(key))])
    const tags = [...settings.tags, ...context.tagsBeyond(settings.tags)]
    for (const { flight, entry } of landings) {
      table.land(flight)
      // Who joined after one of the value's tags was invalidated asks again.
      flight.land(entry, this.#tiers.generations.anyInvalidated(tags, flight.began))
    }
  }

  async #keep (keepables: readonly Keepable[], endings: Endings): Promise<void> {
    for (const key of await this.#tiers.keeping.keep(keepables)) endings.of.set(key, 'kept')
  }

  async #callLoader (ours: readonly Ours[], run: LoadRun, loader: Loader, context: LoadContext, endings: Endings): Promise<readonly Loaded[]> {
    const keys = ours.map(({ flight }) => flight.key)
    this.counts.loads++
    const start = performance.now()
    const tell = (outcome: { error?: unknown }): void => {
      loadedChannel.publish(() => ({ key: keys[0]!, keys: keys.length, elapsed: performance.now() - start, ...outcome }))
    }
    const tooLong = setTimeout(() => {
      for (const { flight } of ours) {
        this.#options.flights.land(flight)
        flight.offerLast()
        this.#tiers.fences.late(flight.fence)
      }
      this.#pass(ours, endings, 'failed')
      run.abort(new DOMException(`The load took longer than ${this.#options.longestLoad} ms`, 'TimeoutError'))
    }, this.#options.longestLoad).unref()
    try {
      const loaded = await run.run(() => inSpan('cache load', () => loader(keys, context)), keys)
      tell({})
      return loaded
    } catch (error) {
      tell({ error })
      return keys.map(() => ({ error }))
    } finally {
      clearTimeout(tooLong)
    }
  }

  /** With what the loader said of tags and of the time that its values are kept. */
  async #extended (snapshot: Snapshot, context: OwnLoadContext, settings: Settings): Promise<Snapshot | undefined> {
    const more = context.tagsBeyond(settings.tags)
    const { ownTtl = settings.ttl } = context
    if (more.length === 0 && ownTtl <= settings.ttl) return snapshot
    return await this.#tiers.generations.extended(snapshot, more, retentionOf({ ...settings, ttl: ownTtl }))
  }

  #staleOf ({ candidate, fence }: Flight): unknown {
    return candidate === undefined || fence.state === 'broken' || this.#tiers.tags.voids(candidate) ? undefined : candidate.value.value()
  }
}
