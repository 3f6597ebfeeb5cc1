// Runs the tests that `npm run build:suite` has built. Prints a line for each file, and of each assertion that failed what it found.
//
//   node scripts/run-suite.js [--coverage] [--jobs=<number>] [--timeout=<seconds>] [--without=<file, folder or pattern> ...] [<file, folder or pattern> ...]
//
// Files are named as they are written, test/cache/tags.test.ts, or as they are built. Jobs, and seconds for each file, are by
// default those of .taprc. With TAP_OUTPUT_FILE set, all that the tests report goes there too.
//
// Each file is a plain Node process that loads JavaScript: the loaders of tap's own runner cost each of them more than most of them do.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Parser } from 'tap-parser'

const root = fileURLToPath(new URL('..', import.meta.url))
const built = 'build/suite'

const withoutDomains = new URL('without-domains.js', import.meta.url).href

/** Seconds that a file has to say what it was waiting for when its time is up. */
const lastWords = 5

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { coverage: { type: 'boolean' }, jobs: { type: 'string' }, timeout: { type: 'string' }, without: { type: 'string', multiple: true } }
})
process.chdir(root)
const jobs = numberOf('jobs')
const timeout = numberOf('timeout')
const files = chosenFiles()
// Of a part of the tests it would only say that the others did not run.
const coverage = options.coverage && positionals.length === 0 ? new (await import('./suite-coverage.js')).Coverage(built) : undefined
// Of what they all load, which Node since 22 need not compile again each time; not where V8 counts what runs.
const cache = coverage === undefined ? { NODE_COMPILE_CACHE: resolve('build/compile-cache') } : {}
const output = process.env.TAP_OUTPUT_FILE ? createWriteStream(process.env.TAP_OUTPUT_FILE) : undefined

// One file alone may need none of them.
const servers = files.length > 1 ? await import('./suite-servers.js').then(({ startServers }) => startServers(built)) : undefined
const began = performance.now()
const running = new Set()
const failed = []
let done = 0

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop)
output?.write(`TAP version 14\n1..${files.length}\n`)
const waiting = files.values()
await Promise.all(Array.from({ length: jobs }, async () => {
  for (const file of waiting) await run(file)
}))
output?.end()
await servers?.stop()

if (failed.length > 0) console.log(`\nFAILED\n${failed.map((name) => `  ${name}\n`).join('')}`)
console.log(`${files.length - failed.length} of ${files.length} files passed in ${seconds(performance.now() - began)}`)
const isCovered = await coverage?.report() ?? true
process.exitCode = failed.length > 0 || !isCovered ? 1 : 0

async function run (file) {
  const name = relative(built, file).replace(/\.js$/, '.ts')
  const began = performance.now()
  const child = spawn(process.execPath, ['--enable-source-maps', '--import', withoutDomains, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...cache, TAP: '1', TAP_TIMEOUT: String(timeout), ...servers?.variables, ...coverage?.environmentOf(name) }
  })
  running.add(child)
  const parser = new Parser()
  const failures = []
  parser.on('fail', (failure) => { failures.push(failure) })
  let tap = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text) => { tap += text; parser.write(text) })
  child.stderr.setEncoding('utf8').on('data', (text) => { errors += text })
  let isLate = false
  const late = setTimeout(() => {
    isLate = true
    child.kill('SIGKILL')
    // Whoever else holds them may not end.
    child.stdout.destroy()
    child.stderr.destroy()
  }, (timeout + lastWords) * 1_000)
  const [code, signal] = await once(child, 'close')
  clearTimeout(late)
  running.delete(child)
  parser.end()

  const { ok, count } = parser.results
  const verdict = isLate ? `took longer than ${timeout} s` : endOf(code, signal) ?? (ok && count > 0 ? undefined : 'ended before its tests had')
  if (verdict !== undefined) failed.push(name)
  const took = performance.now() - began
  done++
  console.log(`${verdict === undefined ? 'pass' : 'FAIL'}  ${String(done).padStart(String(files.length).length)}/${files.length}  ${name}  ${seconds(took)}`)
  for (const { fullname, diag } of failures) console.log(indented(`${fullname}\n${indented(described(diag), 2)}`))
  if (verdict !== undefined) console.log(indented(verdict))
  if (errors !== '') console.log(indented(errors))
  output?.write(`# Subtest: ${name}\n${indented(tap, 4)}\n${verdict === undefined ? 'ok' : 'not ok'} ${done} - ${name} # time=${took}ms\n`)
  if (verdict !== undefined) output?.write(`  ---\n  error: ${verdict}\n  ...\n`)
  coverage?.collect(name)
}

function endOf (code, signal) {
  if (signal !== null) return `ended by ${signal}`
  return code === 0 ? undefined : `ended with exit code ${code}`
}

/** What tap says of a failed assertion, but for the source around it. */
function described (diag) {
  return Object.entries({ ...diag, source: undefined })
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => {
      if (name === 'at') return `at: ${value.fileName}:${value.lineNumber}:${value.columnNumber}`
      const text = typeof value === 'string' ? value.trimEnd() : JSON.stringify(value, null, 2)
      return text.includes('\n') ? `${name}:\n${indented(text, 2)}` : `${name}: ${text}`
    })
    .join('\n')
}

function indented (text, by = 6) {
  return text.trimEnd().replace(/^(?=.)/gm, ' '.repeat(by))
}

function seconds (milliseconds) {
  return `${(milliseconds / 1_000).toFixed(1)} s`
}

function numberOf (setting) {
  const found = options[setting] ?? new RegExp(`^${setting}: (.+)$`, 'm').exec(readFileSync('.taprc', 'utf8'))?.[1]
  const number = Number(found)
  if (!(number > 0)) throw new Error(`--${setting}: expected a number above zero, got ${JSON.stringify(found)}`)
  return number
}

function chosenFiles () {
  const all = readdirSync(join(built, 'test'), { recursive: true, encoding: 'utf8' })
    .map((file) => join(built, 'test', file))
    .filter((file) => file.endsWith('.test.js'))
    .sort()
  if (all.length === 0) throw new Error(`no tests in ${built}: npm run build:suite`)
  const filesOf = (pattern) => {
    const meant = meantBy(pattern)
    const found = all.filter((file) => meant.test(file))
    if (found.length === 0) throw new Error(`${pattern}: no such test in ${built}`)
    return found
  }
  const chosen = new Set(positionals.length === 0 ? all : positionals.flatMap(filesOf))
  for (const file of (options.without ?? []).flatMap(filesOf)) chosen.delete(file)
  return [...chosen]
}

/** Matches the built files of a name, a folder, or a pattern with `*` and `**`, for which Node 20 has nothing of its own. */
function meantBy (pattern) {
  // From where `npm test` was called.
  const path = relative(root, resolve(process.env.INIT_CWD ?? root, pattern)).replace(/\.ts$/, '.js')
  const source = (path.startsWith(built) ? path : join(built, path))
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*\*|\*/g, (wild) => ({ '**/': '(.*/)?', '**': '.*', '*': '[^/]*' })[wild])
  return new RegExp(`^${source}(/.*)?$`)
}

/** Servers end with the process that has started them, however that ends. */
function stop (signal) {
  for (const child of running) child.kill('SIGKILL')
  console.log(`\n${signal} after ${done} of ${files.length} files`)
  process.exit(128 + constants.signals[signal])
}
