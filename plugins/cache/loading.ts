import type { Flight } from './flight.js'
import { retentionOf } from './freshness.js'
import type { Snapshot } from './generations.js'
import type { Departure, LoaderCalls, Missing, Ours } from './loader-calls.js'
import type { Tiers } from './tiers.js'
import type { Heard, Theirs, Turns } from './turns.js'

export interface LoadingOptions {
  tiers: Tiers
  /** Undefined: each process loads for itself. */
  turns: Turns | undefined
  calls: LoaderCalls
  /** Asks Redis once more: lands the flights that it has something for, and gives the others. */
  find: (flights: readonly Flight[], departure: Departure) => Promise<Missing[]>
}

/** One that another process loads, or has just loaded. */
interface Waiting {
  readonly missing: Missing
  readonly heard: Promise<Heard>
}

/** One whose turn has come. */
interface Came {
  readonly missing: Missing
  readonly heard: Heard
  readonly letGo: () => void
}

/** Gets loaded what Redis has nothing for: here, or by another process, whose turn it is. */
export class Loading {
  /** Keys that another process was loading when this one would have. */
  loadsElsewhere = 0
  readonly #options: LoadingOptions

  constructor (options: LoadingOptions) {
    this.#options = options
  }

  /** Never rejects; whatever happens, nobody is left waiting. */
  async load (missing: readonly Missing[], departure: Departure): Promise<void> {
    const { tiers: { generations }, turns, calls } = this.#options
    const { settings, anew } = departure
    try {
      for (const { flight } of missing) flight.loading()
      // Where Redis has just not answered, nothing will go there: to ask it once more would only take another command's time.
      const snapshot = missing.some(({ stamp }) => stamp !== undefined)
        ? await generations.snapshot(settings.tags, Math.max(retentionOf(settings), settings.negativeTtl))
        : generations.localSnapshot(settings.tags)
      if (turns === undefined || anew || snapshot.any === undefined) return await calls.load(missing.map(alone), snapshot, departure)
      const taken = await turns.take(missing.map(({ flight: { key }, stamp }) => ({ key, stamp })), snapshot.tags)
      const ours: Ours[] = []
      const waiting: Waiting[] = []
      missing.forEach((one, index) => {
        const turn = taken[index]!
        if (turn.kind === 'ours') ours.push({ ...one, lease: turn.lease })
        else if (turn.kind === 'unanswered') ours.push({ ...one, stamp: undefined, lease: undefined })
        else if (turn.kind === 'changed') waiting.push({ missing: one, heard: Promise.resolve('unknown') })
        else this.#takeTheirs(turn, one, ours, waiting)
      })
      if (waiting.length > 0) this.#awaitTurns(waiting, snapshot, departure)
      const isForRedis = ours.some(({ stamp }) => stamp !== undefined)
      if (ours.length > 0) await calls.load(ours, isForRedis ? snapshot : { ...snapshot, any: undefined }, departure)
    } catch (error) {
      for (const { flight } of missing) calls.fail(flight, error)
    }
  }

  #takeTheirs (turn: Theirs, missing: Missing, ours: Ours[], waiting: Waiting[]): void {
    const { flight } = missing
    // A flight that was forgotten after a gap is joined by nobody: only its lease shows that a load waits for itself.
    const reentry = turn.isOwn ? flight.run.reentryWithin(flight.key) : undefined
    if (reentry === undefined && !this.#loadsBeside(turn, flight)) {
      waiting.push({ missing, heard: this.#waitFor(turn, flight) })
      return
    }
    turn.leave()
    if (reentry === undefined) ours.push(alone(missing))
    else this.#options.calls.fail(flight, reentry)
  }

  /**
   * Whether it is not to wait for the load of another. A load within another one waits for the length of a lease at most: that
   * other one may be waiting for what this one is loaded for, and none of the two processes can see it.
   */
  #loadsBeside (turn: Theirs, flight: Flight): boolean {
    const { run } = flight
    const now = performance.now()
    if (run.isNested) flight.aloneFrom = Math.min(flight.aloneFrom, turn.isOwn ? now : now + turn.left)
    return now >= flight.aloneFrom
  }

  #waitFor (turn: Theirs, flight: Flight): Promise<Heard> {
    if (!flight.elsewhere) this.loadsElsewhere++
    flight.elsewhere = true
    if (flight.awaited) return turn.wait()
    // A renewal: nobody waits for it.
    turn.leave()
    return Promise.resolve('unknown')
  }

  /** Those whose turn comes in one turn of the event loop go on together: their loader is called once for all of them. */
  #awaitTurns (waiting: readonly Waiting[], snapshot: Snapshot, departure: Departure): void {
    const ended: Came[] = []
    for (const { missing, heard } of waiting) {
      const letGo = departure.run.hold()
      void heard.then((heard) => {
        if (ended.push({ missing, heard, letGo }) === 1) setImmediate(() => { void this.#goOn(ended.splice(0), snapshot, departure) })
      })
    }
  }

  async #goOn (came: readonly Came[], snapshot: Snapshot, departure: Departure): Promise<void> {
    const { calls } = this.#options
    try {
      const unkept: Ours[] = []
      const unanswered: Ours[] = []
      const again: Flight[] = []
      for (const { missing, heard } of came) {
        const { flight } = missing
        const { state } = flight.fence
        // All have given up, but for those who came after that; or there is something newer on its way.
        if (!flight.awaited || departure.run.abandoned || (state !== 'intact' && state !== 'gap')) {
          calls.close(flight)
          flight.landAgain()
        } else if (heard === 'unkept') unkept.push(alone(missing))
        else if (heard === 'unanswered') unanswered.push({ ...alone(missing), stamp: undefined })
        else {
          // A source that fails is not tried by one process after the other: who waits for the last would wait for them all.
          if (heard === 'failed') flight.aloneFrom = 0
          again.push(flight)
        }
      }
      const loads: Array<Promise<void>> = []
      if (unkept.length > 0) loads.push(calls.load(unkept, snapshot, departure))
      if (unanswered.length > 0) loads.push(calls.load(unanswered, { ...snapshot, any: undefined }, departure))
      const missing = again.length > 0 ? await this.#options.find(again, departure) : []
      if (missing.length > 0) loads.push(this.load(missing, departure))
      await Promise.all(loads)
    } catch (error) {
      for (const { missing: { flight } } of came) calls.fail(flight, error)
    } finally {
      for (const { letGo } of came) letGo()
    }
  }
}

function alone (missing: Missing): Ours {
  return { ...missing, lease: undefined }
}
