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
const green = { 'node 20.tap': passing, 'node 24.tap': passing }

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
  ['no test at all fails the run', {}, '0 passed, 1 failed']
]

for (const [title, results, lastLine] of cases) {
  t.test(title, async (t) => {
    const { stdout, status } = spawnSync(process.execPath, [script, t.testdir(results)], { encoding: 'utf8' })
    t.equal(stdout.trimEnd().split('\n').at(-1), lastLine, 'the last line')
    t.equal(status, lastLine.endsWith(' 0 failed') ? 0 : 1, 'the exit code')
  })
}
