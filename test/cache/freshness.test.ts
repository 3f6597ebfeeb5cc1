import t from 'tap'
import { dueEarly, lifetime } from '../../plugins/cache/freshness.js'

const plain = { ttl: 1_000, jitter: 0, stale: 0, staleOnError: 0 }
const fractions = [0, Number.EPSILON, 0.1, 0.25, 0.5, 0.75, 0.9, 1 - Number.EPSILON]

t.test('without jitter a value is fresh for its ttl exactly, whatever chance says', async (t) => {
  for (const chance of fractions) t.strictSame(lifetime(plain, 5_000, () => chance), { freshUntil: 6_000, keptUntil: 6_000 })
})

t.test('jitter only shortens, by its share at most', async (t) => {
  for (const jitter of fractions) {
    for (const chance of fractions) {
      const { freshUntil } = lifetime({ ...plain, jitter }, 5_000, () => chance)
      t.ok(freshUntil <= 6_000)
      t.ok(freshUntil >= 6_000 - 1_000 * jitter - 1e-9)
      t.ok(Math.abs(freshUntil - (6_000 - 1_000 * jitter * chance)) < 1e-9)
    }
  }
  t.equal(lifetime({ ...plain, jitter: 1 }, 5_000, () => 0).freshUntil, 6_000)
})

t.test('values that are kept at once end spread over the whole share', async (t) => {
  const ends = Array.from({ length: 1_000 }, (_, index) => lifetime({ ...plain, jitter: 0.2 }, 0, () => index / 1_000).freshUntil)
  t.equal(Math.max(...ends), 1_000)
  t.ok(Math.abs(Math.min(...ends) - 800.2) < 1e-6)
  t.equal(new Set(ends.map(Math.round)).size >= 200, true)
})

t.test('a value is kept for the longer of its stale times, from the end of its own', async (t) => {
  for (const [stale, staleOnError, over] of [[0, 0, 0], [10, 0, 10], [0, 20, 20], [10, 20, 20], [20, 10, 20]] as const) {
    for (const chance of fractions) {
      const { freshUntil, keptUntil } = lifetime({ ...plain, jitter: 0.5, stale, staleOnError }, 5_000, () => chance)
      t.ok(Math.abs(keptUntil - freshUntil - over) < 1e-9)
    }
  }
})

t.test('whether a value is due early is as XFetch has it', async (t) => {
  for (const beta of [0.01, 0.5, 1, 3, 100]) {
    for (const loadTime of [0.01, 1, 50, 3_000]) {
      for (const chance of fractions) {
        for (const left of [0.001, 1, 10, 100, 1_000, 10_000]) {
          const now = 1_000_000
          const freshUntil = now + left
          // Exponentially distributed, of mean beta times delta: now − δβ ln(rand()) ≥ expiry.
          const expected = now - loadTime * beta * Math.log(1 - chance) >= freshUntil
          const beyond = left > 23 * beta * loadTime
          if (!beyond) t.equal(dueEarly({ freshUntil, loadTime }, beta, now, () => chance), expected, `${beta} ${loadTime} ${chance} ${left}`)
          else t.equal(dueEarly({ freshUntil, loadTime }, beta, now, () => { throw new Error('no chance is asked for') }), false)
        }
      }
    }
  }
})

t.test('the nearer the end, the longer the load and the larger the factor, the likelier', async (t) => {
  const share = (left: number, loadTime: number, beta: number): number => {
    const steps = 10_000
    let due = 0
    for (let step = 0; step < steps; step++) if (dueEarly({ freshUntil: left, loadTime }, beta, 0, () => step / steps)) due++
    return due / steps
  }
  // P(due) = e^(−left / (βδ))
  for (const [left, loadTime, beta] of [[100, 100, 1], [200, 100, 1], [100, 200, 1], [100, 100, 2], [50, 100, 1]] as const) {
    t.ok(Math.abs(share(left, loadTime, beta) - Math.exp(-left / (beta * loadTime))) < 1e-3)
  }
})

t.test('a value that took no time to load is never due early, one whose time is over always', async (t) => {
  for (const chance of fractions) {
    t.equal(dueEarly({ freshUntil: 1, loadTime: 0 }, 100, 0, () => chance), false)
    t.equal(dueEarly({ freshUntil: 0, loadTime: 0 }, 1, 0, () => chance), true)
    t.equal(dueEarly({ freshUntil: -5, loadTime: 10 }, 1, 0, () => chance), true)
  }
})
