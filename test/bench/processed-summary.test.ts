import t from 'tap'
import { processedSummary } from '../../bench/profile/processed-summary.js'

const ticks = (count: number): string => Array.from({ length: count }, (_, n) => `     ${n}    0.1%  JS: *f${n} app.js:${n}:1`).join('\n')

const PROCESSED = `Statistical profiling result from x.log, (100 ticks, 4 unaccounted, 0 excluded).

 [JavaScript]:
   ticks  total  nonlib   name
${ticks(20)}
     2    0.1%    0.1%  JS: *<anonymous> file:///project/dist/slow-request/index.js:28:39
     1    0.0%    0.0%  JS: ^find /project/node_modules/find-my-way/index.js:618:39
     1    0.0%    0.0%  JS: ~get byId file:///project/build/example-app/users.js:9:1

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
  const summary = processedSummary(PROCESSED, new URL('file:///project/'))
  t.match(summary, /^Statistical profiling result/)
  t.match(summary, 'JS: *f14 app.js')
  t.notMatch(summary, 'JS: *f15 app.js')
  t.match(summary, '… and 8 more')
  t.match(summary, ' [Summary]:\n   ticks  total  nonlib   name\n    259    7.3%    7.7%  JavaScript')
  t.notMatch(summary, 'Bottom up')
  t.notMatch(summary, 'entry points')
  t.end()
})

t.test('one\'s own functions are listed, however few their ticks', (t) => {
  t.match(processedSummary(PROCESSED, new URL('file:///project/')).split(' [The example app and Headroom alone]:\n')[1], [
    '   ticks  total  nonlib   name',
    '     2    0.1%    0.1%  JS: *<anonymous> dist/slow-request/index.js:28:39',
    '     1    0.0%    0.0%  JS: ~get byId build/example-app/users.js:9:1'
  ].join('\n'))
  t.end()
})
