import { KEYS } from './ledger.js'

/** So many loads of a key may run at once, less one. */
const RUNNING = 4_096n

/**
 * How long loads of each key have run, in all threads together: what of the time of a call is the source's, whoever asked it.
 *
 * One cell a key, which each begin and each end changes by one addition, so that nobody ever sees half of a change: the sum
 * of the ends minus that of the begins, in microseconds, times `RUNNING`, plus how many are running.
 */
export class LoadTimes {
  readonly buffer: SharedArrayBuffer
  readonly #cells: BigInt64Array

  constructor (buffer = new SharedArrayBuffer(KEYS * 8)) {
    this.buffer = buffer
    this.#cells = new BigInt64Array(buffer)
  }

  begin (key: number, at: number): void {
    Atomics.add(this.#cells, key, 1n - RUNNING * microseconds(at))
  }

  end (key: number, at: number): void {
    Atomics.add(this.#cells, key, RUNNING * microseconds(at) - 1n)
  }

  /** Milliseconds until now of all loads of the key; those that run side by side count each. */
  total (key: number, now: number): number {
    const cell = Atomics.load(this.#cells, key)
    const running = ((cell % RUNNING) + RUNNING) % RUNNING
    return Number((cell - running) / RUNNING + running * microseconds(now)) / 1e3
  }
}

function microseconds (milliseconds: number): bigint {
  return BigInt(Math.round(milliseconds * 1e3))
}
