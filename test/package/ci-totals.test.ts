import { spawnSync } from 'node:child_process'
import t from 'tap'
import { project } from '../helpers/project.js'

const script = `${project}scripts/ci-totals.js`

const passing = `TAP version 14
1..1
# Subtest: cache.test.ts
    # Subtest: a miss loads once
        ok 1 - loaded
        ok 2 - once
        1..2
    ok 1 - a miss loads once
    1..1
ok 1 - cache.test.ts
`
const coverage = (lines: number, branches: number) =>
  JSON.stringify({ total: { lines: { pct: lines }, branches: { pct: branches } } })
const green = { 'node 20.tap': passing, 'node 24.tap': passing, 'coverage-summary.json': coverage(95, 90) }

const cases: Array<[title: string, results: Record<string, string>, lastLine: string]> = [
  ['assertions of all runs count, closing lines of subtests do not', green, '4 passed, 0 failed'],
  ['a failed assertion counts once, not again for its file and its step', {
    ...green,
    'node 24.tap': passing.replace(/^( *)ok 2/m, '$1not ok 2').replaceAll(/^( {4})?ok 1 - (a miss|cache)/gm, '$1not ok 1 - $2'),
    'failed-steps': 'node 24\n'
  }, '3 passed, 1 failed'],
  ['a skipped test fails the run', { ...green, 'node 24.tap': '1..2\nok 1\nok 2 - later # SKIP\n' }, '3 passed, 1 failed'],
  ['a test put off fails the run', { ...green, 'node 24.tap': '1..2\nok 1\nnot ok 2 - later # TODO\n' }, '3 passed, 1 failed'],
  ['output that is cut short fails the run', { ...green, 'node 24.tap': '1..2\nok 1\n' }, '3 passed, 1 failed'],
  ['a step that failed without a failing test counts', { ...green, 'failed-steps': 'lint\nnode 24\n' }, '4 passed, 2 failed'],
  ['too few covered lines fail the run', { ...green, 'coverage-summary.json': coverage(94.99, 90) }, '4 passed, 1 failed'],
  ['too few covered branches fail the run', { ...green, 'coverage-summary.json': coverage(95, 89.99) }, '4 passed, 1 failed'],
  ['missing coverage fails the run', { 'node 20.tap': passing }, '2 passed, 1 failed'],
  ['no test at all fails the run', { 'coverage-summary.json': coverage(100, 100) }, '0 passed, 1 failed']
]

for (const [title, results, lastLine] of cases) {
  t.test(title, async (t) => {
    const { stdout, status } = spawnSync(process.execPath, [script, t.testdir(results)], { encoding: 'utf8' })
    t.equal(stdout.trimEnd().split('\n').at(-1), lastLine, 'the last line')
    t.equal(status, lastLine.endsWith(' 0 failed') ? 0 : 1, 'the exit code')
  })
}
