import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { project } from '../helpers/project.js'

const passes = "console.log('TAP version 14\\nok 1 - right\\n1..1')"
const fails = "console.log('TAP version 14\\n# Subtest: a\\n    not ok 1 - b\\n      ---\\n      diff: what differs\\n      ...\\n    1..1\\nnot ok 1 - a\\n1..1'); process.exitCode = 1"
const endless = "console.log('TAP version 14'); setInterval(() => {}, 1_000)"

/** In place of those that it starts for all files. */
const servers = "export const startServers = async () => ({ variables: { SUITE_REDIS: 'theirs' }, stop: async () => { console.log('stopped') } })"

interface Ran {
  output: string
  status: number
  folder: string
}

/** A project of these tests, as they would be built, and the script in it. */
function start (t: Test, tests: Record<string, string>, args: string[], sources: Record<string, string> = {}, dist: Record<string, string> = {}) {
  const script = (name: string): string => readFileSync(join(project, 'scripts', name), 'utf8')
  const folder = t.testdir({
    'package.json': '{ "type": "module" }',
    '.taprc': 'jobs: 2\ntimeout: 60\n',
    scripts: { 'run-suite.js': script('run-suite.js'), 'suite-coverage.js': script('suite-coverage.js'), 'suite-servers.js': servers, 'without-domains.js': '' },
    dist,
    build: { suite: { test: tests, plugins: sources, 'example-app': {}, services: {} } }
  })
  const child = spawn(process.execPath, ['scripts/run-suite.js', ...args], {
    cwd: folder, env: { ...process.env, INIT_CWD: folder, TAP_OUTPUT_FILE: join(folder, 'out.tap'), NODE_V8_COVERAGE: undefined, SUITE_REDIS: undefined }, stdio: ['ignore', 'pipe', 'ignore']
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { output += text })
  const ended = once(child, 'close').then(([status]): Ran => ({ output, status: status as number, folder }))
  return { child, ended }
}

async function run (...args: Parameters<typeof start>): Promise<Ran> {
  return await start(...args).ended
}

t.test('a run in which all passes ends with 0, and what the tests report is in one file', async (t) => {
  const { output, status, folder } = await run(t, { 'a.test.js': passes, 'b.test.js': passes, 'no-test.js': fails }, [])
  t.equal(status, 0)
  t.match(output, /^2 of 2 files passed/m)
  const tap = readFileSync(join(folder, 'out.tap'), 'utf8')
  t.equal(tap.match(/^ {4}ok 1 - right$/gm)?.length, 2)
  t.match(tap, /^1\.\.2$/m)
})

const failures: Array<[title: string, test: string, said: RegExp]> = [
  ['that fails', fails, /a > b\n +diff: what differs\n/],
  ['that dies', `${passes}; process.kill(process.pid, 'SIGKILL')`, /ended by SIGKILL/],
  ['that ends before it has run its tests', "console.log('TAP version 14')", /ended before its tests had/],
  ['that takes too long', endless, /took longer than 3 s/],
  ['that cannot be loaded', "import 'missing'", /Cannot find package 'missing'/]
]

// Side by side: one of them waits for nearly all of its time.
t.jobs = 2

for (const [title, test, said] of failures) {
  t.test(`a file ${title} fails the run, which says why and goes on`, async (t) => {
    const { output, status, folder } = await run(t, { 'a.test.js': test, 'b.test.js': passes }, ['--jobs=1', `--timeout=${test === endless ? 3 : 60}`])
    t.equal(status, 1)
    t.match(output, said)
    t.match(output, /^pass .* test\/b\.test\.ts/m)
    t.match(output, /^FAILED\n {2}test\/a\.test\.ts\n/m)
    t.match(readFileSync(join(folder, 'out.tap'), 'utf8'), /^not ok 1 - test\/a\.test\.ts/m)
  })
}

const names: Array<[named: string, ran: string[]]> = [
  ['test/a.test.ts', ['a']],
  ['build/suite/test/a.test.js', ['a']],
  ['test/in', ['in/a', 'in/deep/b']],
  ['test/*.test.ts', ['a', 'b']],
  ['test/**/a.test.ts', ['a', 'in/a']],
  ['--without=test/in', ['a', 'b']],
  ['--without=test/a.test.ts', ['b', 'in/a', 'in/deep/b']]
]

for (const [named, ran] of names) {
  t.test(`${named} means ${ran.join(' and ')}`, async (t) => {
    const tests = { 'a.test.js': passes, 'b.test.js': passes, in: { 'a.test.js': passes, deep: { 'b.test.js': passes } } } as unknown as Record<string, string>
    const { output } = await run(t, tests, ['--jobs=1', named])
    t.same([...output.matchAll(/^pass .* test\/(\S+)\.test\.ts/gm)].map(([, name]) => name), ran)
  })
}

t.test('all files are told of the same servers, which are stopped in the end', async (t) => {
  const tells = `${passes}; console.error('of', process.env.SUITE_REDIS)`
  const { output } = await run(t, { 'a.test.js': tells, 'b.test.js': tells }, [])
  t.match(output, /of theirs.*of theirs.*^stopped$/ms)
})

t.test('a file that runs alone starts what it needs itself', async (t) => {
  const { output } = await run(t, { 'a.test.js': `${passes}; console.error('of', process.env.SUITE_REDIS)` }, [])
  t.match(output, /of undefined/)
})

t.test('a name that is of no test fails the run', async (t) => {
  t.not((await run(t, { 'a.test.js': passes }, ['test/b.test.ts'])).status, 0)
})

t.test('Ctrl-C ends the tests that run', async (t) => {
  const { child, ended } = start(t, { 'a.test.js': passes, 'b.test.js': endless }, ['--jobs=1'])
  await once(child.stdout, 'data')
  child.kill('SIGINT')
  const { output, status } = await ended
  t.equal(status, 130)
  t.match(output, /SIGINT after 1 of 2 files/)
})

t.test('coverage is of the sources that the tests reach, and of those that they do not', async (t) => {
  const reaches = `import '../plugins/half.js'; import '../../../dist/elsewhere.js'; ${passes}`
  const sources = {
    'half.js': 'export function called () {\n  return 1\n}\nexport function never () {\n  return 2\n}\ncalled()\n',
    'unreached.js': 'export const a = 1\n',
    'elsewhere.js': 'export const b = 1\n',
    'types.js': 'export {};\n//# sourceMappingURL=types.js.map'
  }
  const { folder, output, status } = await run(t, { 'a.test.js': reaches }, ['--coverage'], sources, { 'elsewhere.js': sources['elsewhere.js'] })
  const summary = JSON.parse(readFileSync(join(folder, 'coverage/coverage-summary.json'), 'utf8')) as Record<string, { lines: object }>
  t.match(Object.entries(summary).map(([path, { lines }]) => [basename(path), lines]), [
    ['total', { total: 9, covered: 6 }],
    ['elsewhere.js', { total: 1, covered: 1 }],
    ['half.js', { total: 7, covered: 5 }],
    ['unreached.js', { total: 1, covered: 0 }]
  ])
  t.match(output, 'FAILED coverage: 66.66% of lines, at least 95% wanted')
  t.equal(status, 1)
})

const uncaught: Array<[title: string, error: string]> = [
  ['thrown while a test runs', "t.test('a', () => new Promise(() => { setTimeout(() => { throw new Error('uncaught') }, 1) }))"],
  ['thrown when all tests have ended', "t.test('a', async () => { setTimeout(() => { throw new Error('uncaught') }, 100) })"],
  ['rejected while a test runs', "t.test('a', async () => { void Promise.reject(new Error('uncaught')); await new Promise((resolve) => { setTimeout(resolve, 10) }) })"]
]

for (const [title, error] of uncaught) {
  t.test(`an error that nobody catches, ${title}, fails the file`, async (t) => {
    const folder = t.testdir({ 'package.json': '{ "type": "module" }', 'a.js': `import t from 'tap'\n${error}` })
    const child = spawn(process.execPath, ['--import', new URL('scripts/without-domains.js', `file://${project}`).href, 'a.js'], {
      cwd: folder, env: { ...process.env, NODE_V8_COVERAGE: undefined }, stdio: ['ignore', 'pipe', 'pipe']
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output += text })
    const [status] = await once(child, 'close')
    t.equal(status, 1)
    t.match(output, /uncaught/)
  })
}
