import t from 'tap'
import { median, quantile, spread } from '../../bench/statistics.js'

t.test('the median is the middle, whatever the order, and lies between two middles', (t) => {
  t.equal(median([9, 1, 5]), 5)
  t.equal(median([10, 9, 1, 2]), 5.5)
  t.equal(median([100, 20, 3]), 20, 'as numbers, not as text')
  t.end()
})

t.test('the spread is where the middle half lies', (t) => {
  t.match(spread([5, 1, 4, 2, 3]), { low: 2, median: 3, high: 4 })
  t.strictSame(spread([7]), { low: 7, median: 7, high: 7, error: 0 })
  t.end()
})

t.test('the median is the surer, the closer the values and the more of them', (t) => {
  const { error } = spread([1, 2, 3, 4, 5])
  t.ok(Math.abs(error - 1.2533 * (4 - 2) / 1.349 / Math.sqrt(5)) < 1e-9)
  t.ok(spread([2.8, 2.9, 3, 3.1, 3.2]).error < error)
  t.ok(spread(Array.from({ length: 100 }, (_, n) => 1 + n % 5)).error < error)
  t.end()
})

t.test('nothing has no middle', (t) => {
  t.throws(() => quantile([], 0.5), { message: 'Expected at least one value, got none' })
  t.end()
})

t.test('the values stay in their order', (t) => {
  const values = [3, 1, 2]
  median(values)
  t.strictSame(values, [3, 1, 2])
  t.end()
})
