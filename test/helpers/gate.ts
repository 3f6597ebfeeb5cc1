export interface Gate<T> {
  /** For the code under test: comes to the gate and waits to be let through. Needs no `this`. */
  readonly pass: () => Promise<T>
  /** How many have come so far. */
  readonly arrivals: number
  /** Resolves when so many have come, now or earlier. Default: one. */
  arrived (count?: number): Promise<void>
  /** Lets everyone through, those who wait and those who come later. */
  open (value: T): void
  /** The same, but with an error. */
  fail (error: Error): void
  /** Lets one through: who has waited longest, or else the next who comes. */
  letOne (value: T): void
  /** Who comes from now on waits again. */
  shut (): void
}

type Answer<T> = () => Promise<T>

/**
 * Holds code where a test wants it, for as long as the test needs: a race is run by saying who goes first.
 *
 * ```ts
 * const loads = gate<string>()
 * const first = cache.getOrSet('key', loads.pass)
 * await loads.arrived()
 * await cache.delete('key')
 * loads.open('old')
 * ```
 */
export function gate<T = void> (): Gate<T> {
  const waiting: Array<(answer: Promise<T>) => void> = []
  const watching: Array<{ count: number, tell: () => void }> = []
  const allowed: Array<Answer<T>> = []
  let everyone: Answer<T> | undefined
  let arrivals = 0

  function letAll (answer: Answer<T>): void {
    everyone = answer
    for (const go of waiting.splice(0)) go(answer())
  }

  return {
    get arrivals () { return arrivals },
    pass () {
      arrivals++
      for (const { count, tell } of watching) if (count <= arrivals) tell()
      const answer = everyone ?? allowed.shift()
      return answer === undefined ? new Promise<T>((resolve) => { waiting.push(resolve) }) : answer()
    },
    async arrived (count = 1) {
      if (arrivals < count) await new Promise<void>((resolve) => { watching.push({ count, tell: resolve }) })
    },
    open (value) { letAll(() => Promise.resolve(value)) },
    fail (error) { letAll(() => Promise.reject(error)) },
    letOne (value) {
      const go = waiting.shift()
      if (go === undefined) allowed.push(() => Promise.resolve(value))
      else go(Promise.resolve(value))
    },
    shut () {
      everyone = undefined
      allowed.length = 0
    }
  }
}
