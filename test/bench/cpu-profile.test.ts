import t from 'tap'
import { callTree, totalOf, type CpuProfile } from '../../bench/profile/cpu-profile.js'

const node = (id: number, functionName: string, children: number[] = []) => ({
  id, children, callFrame: { functionName, scriptId: '1', url: 'file:///app.js', lineNumber: id, columnNumber: 0 }
})

const profile: CpuProfile = {
  nodes: [node(1, '(root)', [2]), node(2, 'handler', [3]), node(3, 'query')],
  startTime: 1_000,
  endTime: 2_000,
  // At 1100, 1300, 1600; what the last one found went on to the end.
  samples: [2, 3, 2],
  timeDeltas: [100, 200, 300]
}

t.test('what a sample found went on until the next one', (t) => {
  const root = callTree(profile)
  const [handler] = root.children
  t.match(handler, { name: 'handler', self: 200 + 400, line: 2 })
  t.match(handler!.children, [{ name: 'query', self: 300 }])
  t.end()
})

t.test('a function takes what it takes itself, and what those take that it calls', (t) => {
  t.equal(totalOf(callTree(profile)), 900)
  t.end()
})

t.test('clocks that step back take no time away', (t) => {
  const stepping = { ...profile, timeDeltas: [100, -50, 300] }
  t.equal(callTree(stepping).children[0]!.self, 650)
  t.end()
})
