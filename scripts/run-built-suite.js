// Runs the tests that `npm run build:suite` has built: the same files as `npm test`, two at a time, without its coverage and its
// loaders in each of their processes. Prints a line for each file; the TAP output of all goes to the file named.
//
//   node scripts/run-built-suite.js <file>
import { createWriteStream, globSync } from 'node:fs'
import { once } from 'node:events'
import { relative } from 'node:path'
import t from 'tap'

const folder = 'build/suite/'
const [output] = process.argv.slice(2)

/** Seconds for each file, as in .taprc; the file's own process is to know it too. */
const timeout = 120
const env = { ...process.env, TAP_TIMEOUT: String(timeout) }

const tap = createWriteStream(output)
t.pipe(tap)
t.jobs = 2
t.setTimeout(0)

const files = globSync(`${folder}test/**/*.test.js`).sort()
if (files.length === 0) throw new Error(`no tests in ${folder}: npm run build:suite`)
for (const file of files) {
  const name = relative(folder, file)
  t.spawn(process.execPath, ['--enable-source-maps', file], { buffered: true, timeout: timeout * 1_000, env }, name).then(({ ok, time }) => {
    console.log(`${ok ? 'pass' : 'FAIL'}  ${name}  ${(time / 1_000).toFixed(1)} s`)
  })
}

t.end()
await once(tap, 'finish')
process.exitCode = t.passing() ? 0 : 1
