// Reads what a CI run left in a folder and says whether it passed:
//   <step>.tap    the TAP output of the suite, one file for each Node
//   failed-steps  titles of the steps that failed, one a line
// The last line it prints is "N passed, N failed", over all runs.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Parser } from 'tap-parser'

const [folder] = process.argv.slice(2)
const read = (file) => existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8') : ''

let passed = 0
const failures = []
const explained = new Set()

for (const file of readdirSync(folder).filter((file) => file.endsWith('.tap')).sort()) {
  const step = basename(file, '.tap')
  const run = count(read(file))
  console.log(`${step}: ${run.passes} of ${run.passes + run.failures.length} passed`)
  passed += run.passes
  failures.push(...run.failures.map((failure) => `${step}: ${failure}`))
  if (run.failures.length > 0) explained.add(step)
}
// A step whose own tests failed is in the count already.
failures.push(...read('failed-steps').split('\n').filter((step) => step !== '' && !explained.has(step)))
if (passed === 0) failures.push('no test ran')

for (const failure of failures) console.log(`FAILED ${failure}`)
console.log(`${passed} passed, ${failures.length} failed`)
process.exitCode = failures.length > 0 ? 1 : 0

/**
 * Counts assertions; a subtest's closing line repeats what stands inside it and counts only when it says more.
 * A test that was skipped or put off proves nothing, so here it is a failure.
 */
function count (tap) {
  const found = { passes: 0, failures: [] }
  const parser = new Parser()
  parser.on('pass', () => { found.passes++ })
  parser.on('fail', ({ fullname, diag }) => found.failures.push(`${fullname}${reason(diag)}`))
  parser.on('skip', ({ fullname }) => found.failures.push(`${fullname} (skipped)`))
  parser.on('todo', ({ fullname }) => found.failures.push(`${fullname} (todo)`))
  parser.end(tap)
  // No plan, a bailout, output cut short.
  if (!parser.results.ok && found.failures.length === 0) found.failures.push('the run did not complete')
  return found
}

function reason (diag) {
  const { at, diff, error, expired } = diag ?? {}
  const place = at ? ` (${at.fileName}:${at.lineNumber})` : ''
  return [place, diff, error, expired].filter((part) => part !== undefined).join('\n')
}
