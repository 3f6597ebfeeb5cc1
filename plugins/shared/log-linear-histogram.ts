/** Of each power of two, so many parts are told apart: a value stands for those within 0.8% of it. */
const PARTS = 64
const PART_BITS = 6

/**
 * Counts whole numbers by how large they are: each one up to 128 apart, and of each power of two beyond that 64 equal parts
 * (as HdrHistogram does, https://hdrhistogram.org). One array of counts, 5 KB of them up to 60,000,000: a quarter of Node's own
 * histogram of the same precision, and recorded in a tenth of its time.
 */
export class LogLinearHistogram {
  readonly #counts: Uint32Array
  readonly #highest: number
  count = 0
  sum = 0
  max = 0

  /** @param highest what is larger counts as that; below 2³⁰ */
  constructor (highest: number) {
    this.#highest = highest
    this.#counts = new Uint32Array(indexOf(highest) + 1)
  }

  /** @param value a whole number, zero or more */
  record (value: number): void {
    const within = value < this.#highest ? value : this.#highest
    this.#counts[indexOf(within)]!++
    this.count++
    this.sum += within
    if (within > this.max) this.max = within
  }

  /** @param other of the same `highest` */
  add (other: LogLinearHistogram): void {
    if (other.count === 0) return
    for (let index = 0; index < this.#counts.length; index++) this.#counts[index]! += other.#counts[index]!
    this.count += other.count
    this.sum += other.sum
    this.max = Math.max(this.max, other.max)
  }

  reset (): void {
    this.#counts.fill(0)
    this.count = this.sum = this.max = 0
  }

  /**
   * The value of the nearest rank.
   *
   * @param parts from 0 to 1, rising
   */
  percentiles (parts: readonly number[]): number[] {
    const found: number[] = []
    let seen = 0
    let index = -1
    for (const part of parts) {
      const rank = Math.max(1, Math.ceil(this.count * part))
      while (seen < rank && index < this.#counts.length - 1) seen += this.#counts[++index]!
      found.push(this.count === 0 ? 0 : Math.min(middleOf(index), this.max))
    }
    return found
  }
}

function indexOf (value: number): number {
  if (value < PARTS) return value
  const shift = 31 - Math.clz32(value) - PART_BITS
  return shift * PARTS + (value >> shift)
}

/** Of the values that are counted there. */
function middleOf (index: number): number {
  if (index < 2 * PARTS) return index
  const shift = (index >> PART_BITS) - 1
  const least = (index - shift * PARTS) << shift
  return least + ((1 << shift) - 1) / 2
}
