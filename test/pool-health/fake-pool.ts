import { EventEmitter } from 'node:events'
import type { PgPool } from '../../plugins/pool-health/index.js'

/** A pool as far as pool-health reads one. */
export class FakePool extends EventEmitter implements PgPool {
  totalCount = 0
  idleCount = 0
  waitingCount = 0
  options: { max?: number } = { max: 10 }
}
