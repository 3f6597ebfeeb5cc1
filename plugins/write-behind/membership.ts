import { randomBytes } from 'node:crypto'
import { SHARDS } from './keys.js'
import type { Worker } from './worker.js'
import type { WriteLog } from './write-log.js'

export interface MembershipOptions {
  log: WriteLog
  worker: Worker
  /** Milliseconds: whoever was not there for so long has gone. */
  lease: number
  onRedisError: (error: unknown) => void
  /** Its shards have been tended. */
  onTended: () => void
}

/** So often is said in a lease that the process is there. */
const TIMES = 3

/**
 * The process as one of those that share a queue. Each shard is that one's whose turn it is by the list of all; who owns it is ruled
 * by its lease alone, so that lists that differ for a moment do no harm.
 */
export class Membership {
  readonly #options: MembershipOptions
  readonly #me = randomBytes(9).toString('base64url')
  #members: readonly string[] = []
  #timer: NodeJS.Timeout | undefined
  #tending: Promise<void> | undefined
  #left = false

  constructor (options: MembershipOptions) {
    this.#options = options
  }

  start (): void {
    this.#timer = setInterval(() => { this.#tend() }, this.#options.lease / TIMES).unref()
    this.#tend()
  }

  /** Something waits in the shard, or it was given back. */
  hear (shard: number): void {
    const { worker } = this.#options
    if (worker.owns(shard)) worker.wake(shard)
    else if (!this.#left && this.#isOurs(shard)) void worker.tendOne(shard, true)
  }

  /** From now on it is not one of them: no shard is taken any more, and those that it owns are kept until the end. */
  async leave (): Promise<void> {
    this.#left = true
    await this.#tending
    await this.#options.log.leave(this.#me).catch(this.#options.onRedisError)
  }

  async stop (): Promise<void> {
    clearInterval(this.#timer)
    await this.#tending
  }

  #tend (): void {
    this.#tending ??= this.#tendOnce().finally(() => { this.#tending = undefined })
  }

  async #tendOnce (): Promise<void> {
    const { log, worker, lease, onRedisError, onTended } = this.#options
    if (this.#left) return await worker.tend((shard) => worker.owns(shard), SHARDS)
    try {
      this.#members = await log.join(this.#me, lease)
      // For writes that are saved at once while Redis is away: theirs are to be higher.
      await log.seeVersions()
    } catch (error) {
      // Of a Cluster the node that has the list can be away, and others there.
      onRedisError(error)
    }
    if (this.#left) return
    await worker.tend((shard) => this.#isOurs(shard), SHARDS)
    onTended()
  }

  #isOurs (shard: number): boolean {
    return this.#members.length > 0 && this.#members[shard % this.#members.length] === this.#me
  }
}
