import t from 'tap'
import { compare, CONTROL } from '../../bench/comparison.js'
import { judge } from '../../bench/expectations.js'
import { report } from '../../bench/report.js'

const sample = (perSecond: number, cpu: number) => ({ perSecond, cpu, latency: { p50: 0.2, p99: 2.5 } })
const rounds = new Map([
  ['off', [sample(40_000, 20)]],
  [CONTROL, [sample(38_000, 20)]],
  ['on', [sample(30_000, 25)]]
])

t.test('a person sees every variant, how far to believe it, and what was expected', (t) => {
  const text = report({
    name: 'x',
    title: 'X, on and off',
    kind: 'server',
    comparison: compare(rounds, 'off'),
    verdicts: judge(rounds, [
      { variant: 'on', of: 'off', atLeast: 0.7 },
      { variant: 'on', of: 'off', metric: 'cpu', atMost: 1.1 }
    ])
  })
  t.match(text, /^X, on and off\n/)
  t.match(text, /^on +30\.0k +0\.75 +0\.75 to 0\.75 +25\.0 +1\.25 +0\.20 +2\.50$/m)
  t.match(text, /^control: off again +38\.0k/m)
  t.match(text, 'The control is off by at most 5.3%.')
  t.match(text, 'met:    on is 0.75 times off, expected at least 0.7')
  t.match(text, 'MISSED: on is 1.25 times off in CPU time, expected at most 1.1')
  t.end()
})

t.test('calls in process are counted in nanoseconds and have no latency', (t) => {
  const calls = new Map([['off', [{ perSecond: 5e6, cpu: 0.2 }]], [CONTROL, [{ perSecond: 5e6, cpu: 0.2 }]]])
  const text = report({ name: 'x', title: 'X', kind: 'micro', comparison: compare(calls, 'off'), verdicts: [] })
  t.match(text, /^off +5\.00M +1\.00 +1\.00 to 1\.00 +200 +1\.00$/m)
  t.notMatch(text, 'p99')
  t.end()
})
