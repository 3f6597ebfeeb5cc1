import type { FastifyInstance } from 'fastify'
import type { ExpectedReply } from './first-reply.js'
import type { MicroSettings } from './measure-micro.js'
import type { Metric } from './sample.js'

/** What a file in entries/ exports as its default; the file's name is the entry's. */
export type Entry = MicroEntry | ServerEntry

/** Calls of a function, in a process of the variant's own. */
export interface MicroEntry extends Common {
  kind: 'micro'
  /** Each imports its own library and prepares, so that no variant loads or warms another's code. */
  variants: Readonly<Record<string, () => Promise<Operation | Postponing>>>
  /** Calls that are under way at a time. Default 1: they are awaited one after the other. */
  callers?: number
  /** For what needs longer than a call in memory. Does not hold for a quick run. */
  pace?: Partial<MicroSettings>
}

/** Requests to an app, served by a process of the variant's own. */
export interface ServerEntry extends Common {
  kind: 'server'
  variants: Readonly<Record<string, () => Promise<FastifyInstance>>>
  /** What is asked for, with GET. */
  path: string
  /** That it is asked for with. */
  headers?: Readonly<Record<string, string>>
  /** Whether by clients that have it: with If-None-Match, and the tag of a first reply. */
  revalidates?: boolean
  /** By variant; of one that is not named, what is so by default. A run with other replies fails. */
  replies?: Readonly<Record<string, ExpectedReply>>
}

export type Operation = () => unknown

/** What ends before all is done that it is for. */
export interface Postponing {
  call: Operation
  /** Resolves when nothing is left of what the calls of a round have postponed. */
  settle: () => Promise<void>
  /** Whether that counts as part of the calls, or is no more than waited for. */
  settled: 'counted' | 'afterwards'
}

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
