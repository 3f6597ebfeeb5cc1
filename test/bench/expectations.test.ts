import t from 'tap'
import { judge } from '../../bench/expectations.js'

const rounds = new Map(Object.entries({ ours: [50, 10], floor: [100, 5], slow: [2, 90], slower: [1, 80] })
  .map(([variant, [perSecond, cpu]]) => [variant, [{ perSecond: perSecond!, cpu: cpu! }]]))

t.test('an expectation is met or missed by the ratio to the best of the others', (t) => {
  t.match(judge(rounds, [
    { variant: 'ours', of: 'floor', atLeast: 0.5 },
    { variant: 'ours', of: 'floor', atLeast: 0.51 },
    { variant: 'ours', of: ['slower', 'slow'], atLeast: 25 }
  ]), [
    { best: 'floor', ratio: 0.5, met: true },
    { best: 'floor', ratio: 0.5, met: false },
    { best: 'slow', ratio: 25, met: true }
  ])
  t.end()
})

t.test('of CPU time, the best is who takes least', (t) => {
  t.match(judge(rounds, [
    { variant: 'ours', of: ['slow', 'slower', 'floor'], metric: 'cpu', atMost: 2 },
    { variant: 'ours', of: ['floor'], metric: 'cpu', atMost: 1.9 }
  ]), [{ best: 'floor', ratio: 2, met: true }, { met: false }])
  t.end()
})

t.test('nothing expected, nothing judged', (t) => {
  t.strictSame(judge(rounds), [])
  t.end()
})
