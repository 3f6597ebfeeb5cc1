import type { Superseded } from './ledger.js'

/** What the event loop of a thread was late by in a phase of an outage, milliseconds. */
export interface Lateness {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** A call that was given a version that the source no longer had, and of which the cache had been told, when it was made. */
export interface StaleRead extends Superseded {
  /** When it was made. */
  readonly at: number
  readonly call: string
  readonly key: number
  readonly version: number
  /** Whether the key was changed in the same process. */
  readonly isOwn: boolean
  /** Milliseconds that the event loop had been held up when it was made: what had come in meanwhile had not been heard. */
  readonly late: number
}

export interface Call {
  readonly at: number
  readonly call: string
  /** Milliseconds. */
  readonly took: number
  /** Milliseconds of those in which no load of its keys ran anywhere: of a read, what the cache added. */
  readonly added: number
}

export interface Failure {
  readonly at: number
  readonly call: string
  readonly message: string
}

/** What the clients of one process saw. Moments are of `moment()`. */
export class Findings {
  readonly reads: Call[] = []
  readonly changes: Call[] = []
  readonly stale: StaleRead[] = []
  readonly failures: Failure[] = []
  readonly loops: Record<string, Lateness> = {}
}
