import t from 'tap'
import { processedSummary } from '../../bench/profile/processed-summary.js'

const ticks = (count: number): string => Array.from({ length: count }, (_, n) => `     ${n}    0.1%  JS: *f${n} app.js:${n}:1`).join('\n')

const PROCESSED = `Statistical profiling result from x.log, (100 ticks, 4 unaccounted, 0 excluded).

 [JavaScript]:
   ticks  total  nonlib   name
${ticks(20)}

 [Summary]:
   ticks  total  nonlib   name
    259    7.3%    7.7%  JavaScript

 [C++ entry points]:
   ticks    cpp   total   name
      1  100.0%  0.1%  f

 [Bottom up (heavy) profile]:
  Note: percentage shows a share of a particular caller in the total
`

t.test('the summary has the top of each list, and not the call tree', (t) => {
  const summary = processedSummary(PROCESSED)
  t.match(summary, /^Statistical profiling result/)
  t.match(summary, 'JS: *f14 app.js')
  t.notMatch(summary, 'JS: *f15 app.js')
  t.match(summary, '… and 5 more')
  t.match(summary, ' [Summary]:\n   ticks  total  nonlib   name\n    259    7.3%    7.7%  JavaScript')
  t.notMatch(summary, 'Bottom up')
  t.notMatch(summary, 'entry points')
  t.end()
})
