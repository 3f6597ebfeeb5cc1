import t from 'tap'
import { compare, CONTROL } from '../../bench/comparison.js'
import { controlled } from '../../bench/controlled.js'

const runWhoseControlIs = (ratio: number) => ({
  comparison: compare(new Map([['off', [{ perSecond: 100, cpu: 1 }]], [CONTROL, [{ perSecond: 100 * ratio, cpu: 1 }]]]), 'off')
})

t.test('a run whose control is off by more than 10% is rejected, and measured again', async (t) => {
  const rejected: number[] = []
  const result = await controlled(3, async (attempt) => runWhoseControlIs(attempt === 1 ? 1.2 : 1.09), (_, attempt) => rejected.push(attempt))
  t.strictSame(rejected, [1])
  t.strictSame(result, runWhoseControlIs(1.09))
})

t.test('when the control stays off there is no result', async (t) => {
  const rejected: number[] = []
  t.equal(await controlled(3, async () => runWhoseControlIs(0.8), (_, attempt) => rejected.push(attempt)), undefined)
  t.strictSame(rejected, [1, 2, 3])
})
