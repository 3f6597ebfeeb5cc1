import { setTimeout as delay } from 'node:timers/promises'
import type { WriteResult } from '../../../plugins/cache/index.js'
import { paces } from '../../helpers/soak.js'
import { moment } from './ledger.js'
import type { Process } from './process.js'
import { keysOf, nameOf, random, tagOf, type Stored } from './readers.js'

type Change = 'delete' | 'set' | 'invalidateTags' | 'resource.set' | 'clear'

const IN_TURN: readonly Change[] = ['delete', 'set', 'invalidateTags', 'resource.set']

/** The one that changes the keys of a group in the source, and tells the cache, each change when the one before has been acknowledged. */
export class Writer {
  readonly #process: Process
  readonly #group: number
  readonly #keys: readonly number[]
  #invalidations = 0

  constructor (process: Process, group: number) {
    this.#process = process
    this.#group = group
    this.#keys = keysOf(group)
  }

  async run (): Promise<void> {
    for (let turn = this.#group; !this.#process.stopped; turn++) {
      for (; this.#invalidations > 0; this.#invalidations--) await this.#change('invalidateTags')
      await this.#change(random(100) === 0 ? 'clear' : IN_TURN[turn % IN_TURN.length]!)
      await delay((0.5 + Math.random()) * paces.writer)
    }
  }

  /** Invalidates the group's tag next, so many times. */
  invalidate (times: number): void {
    this.#invalidations = times
  }

  async #change (change: Change): Promise<void> {
    const { ledger } = this.#process
    const keys = change === 'invalidateTags' || change === 'clear' ? this.#keys : [this.#keys[random(this.#keys.length)]!]
    const at = moment()
    try {
      // A resource saves by itself.
      if (change !== 'resource.set') for (const key of keys) ledger.change(key)
      const { shared } = await this.#tell(change, keys[0]!)
      for (const key of keys) ledger.acknowledge(key, ledger.version(key), shared)
      const took = moment() - at
      this.#process.findings.changes.push({ at, call: change, took, added: took })
    } catch (error) {
      this.#process.findings.failures.push({ at, call: change, message: String(error) })
    }
  }

  async #tell (change: Change, key: number): Promise<WriteResult> {
    const { cache, ledger, resources } = this.#process
    const stored = (version: number): Stored => ({ key, version })
    const tags = [tagOf(this.#group)]
    switch (change) {
      case 'delete': return await cache.delete(nameOf(key))
      case 'set': return await cache.set(nameOf(key), stored(ledger.version(key)), { ttl: '1h', tags })
      case 'invalidateTags': return await cache.invalidateTags(...tags)
      case 'resource.set': return await resources[this.#group]!.set(key, stored(ledger.version(key) + 1))
      case 'clear': return await cache.clear()
    }
  }
}
