import type { FastifyInstance } from 'fastify'
import type { Metric } from './sample.js'

/** What a file in entries/ exports as its default; the file's name is the entry's. */
export type Entry = MicroEntry | ServerEntry

/** Calls of a function, awaited one after the other in a process of the variant's own. */
export interface MicroEntry extends Common {
  kind: 'micro'
  /** Each imports its own library and prepares, so that no variant loads or warms another's code. */
  variants: Readonly<Record<string, () => Promise<Operation>>>
}

/** Requests to an app, served by a process of the variant's own. */
export interface ServerEntry extends Common {
  kind: 'server'
  variants: Readonly<Record<string, () => Promise<FastifyInstance>>>
  /** What is asked for, with GET. */
  path: string
}

export type Operation = () => unknown

interface Common {
  title: string
  /** The variant that the others are compared with, and that is measured a second time as the control. */
  baseline: string
  expectations?: readonly Expectation[]
}

/** What a reader may rely on, judged in the run that it is printed with. */
export interface Expectation {
  variant: string
  /** Of several, the best one counts. */
  of: string | readonly string[]
  /** Default `perSecond`. */
  metric?: Metric
  atLeast?: number
  atMost?: number
}
