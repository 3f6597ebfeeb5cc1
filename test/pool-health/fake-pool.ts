import { EventEmitter } from 'node:events'
import type { PgPool, QueryResult } from '../../plugins/pool-health/index.js'

/** A pool as far as its gauges are read; it has no connection to give. */
export class FakePool extends EventEmitter implements PgPool {
  totalCount = 0
  idleCount = 0
  waitingCount = 0
  options: { max?: number } = { max: 10 }

  async connect (): Promise<never> {
    throw new Error('a fake has none')
  }

  async query (): Promise<QueryResult> {
    throw new Error('a fake has none')
  }
}
