import type { Cache, Resource } from '../../../plugins/cache/index.js'
import type { Findings } from './findings.js'
import type { Ledger } from './ledger.js'
import type { LoadTimes } from './load-times.js'
import type { Stored } from './readers.js'

/** One of the processes that share a Redis and a source: here a thread, which has a cache and an event loop of its own as well. */
export interface Process {
  readonly cache: Cache
  /** One for each group of keys. */
  readonly resources: ReadonlyArray<Resource<Stored, number>>
  readonly ledger: Ledger
  readonly loads: LoadTimes
  /** Since the last outage. */
  findings: Findings
  /** Whether it is this one that changes the key. */
  readonly isOwn: (key: number) => boolean
  stopped: boolean
}
