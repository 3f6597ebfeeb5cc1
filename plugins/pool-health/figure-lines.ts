import type { FastifyBaseLogger } from 'fastify'
import type { Advice } from './advice.js'
import * as channels from './channels.js'
import type { PoolWatch } from './pool-watch.js'

/** Call sites that are named in a line. */
const MOST_HOLDERS = 5

/** A line with the figures of each pool, and what follows from them. */
export class FigureLines {
  readonly #log: FastifyBaseLogger | undefined
  readonly #said = new Map<PoolWatch, Advice['verdict']>()

  /** @param log none: a verdict is told on its channel only */
  constructor (log: FastifyBaseLogger | undefined) {
    this.#log = log
  }

  write (watch: PoolWatch, advice = watch.advise()): void {
    const { name } = watch
    const before = this.#said.get(watch) ?? 'healthy'
    this.#said.set(watch, advice.verdict)
    if (advice.verdict !== before) channels.verdict.publish(() => ({ pool: name, advice, before }))
    if (this.#log === undefined) return
    const holders = advice.verdict === 'leak' ? { holders: watch.holders().slice(0, MOST_HOLDERS) } : {}
    const isWell = advice.verdict === 'healthy' || advice.verdict === 'over-provisioned'
    this.#log[isWell ? 'info' : 'warn']({ pool: name, poolHealth: { ...watch.status(), advice, ...holders } }, 'pool health')
  }

  /** Writes one only where the advice is another than that of its last line. */
  writeIfNews (watch: PoolWatch): void {
    const advice = watch.advise()
    if (advice.verdict !== (this.#said.get(watch) ?? 'healthy')) this.write(watch, advice)
  }
}
