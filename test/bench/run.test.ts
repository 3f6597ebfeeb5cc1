import t from 'tap'
import { CONTROL } from '../../bench/comparison.js'
import type { Result } from '../../bench/report.js'
import { runBuilt } from './run-built.js'

interface Printed {
  machine: { node: string }
  quick: boolean
  results: Result[]
  rejected: string[]
}

t.test('getOrSet is compared with its peers, each in a process of its own, and machines can read it', async (t) => {
  const { code, stdout, stderr } = await runBuilt('run.js', ['get-or-set-memory-hit', '--quick', '--json'])
  t.equal(code, 0, stderr)
  const { machine, quick, results: [result], rejected } = JSON.parse(stdout) as Printed
  t.equal(machine.node, process.version)
  t.equal(quick, true)
  t.strictSame(rejected, [])
  const { rows, baseline } = result!.comparison
  t.strictSame(rows.map(({ variant }) => variant), [
    'lru-cache awaited', CONTROL, 'lru-cache with a ttl, awaited', 'headroom', 'async-cache-dedupe', 'bentocache', 'bentocache unserialised',
    'cacheable', 'cacheable uncloned', 'cache-manager', 'cache-manager uncloned'
  ])
  t.equal(baseline, 'lru-cache awaited')
  for (const { variant, perSecond, cpu } of rows) t.ok(perSecond > 0 && cpu > 0, variant)
  t.match(stderr, /^get-or-set-memory-hit: warming up\n.*: round 1 of 2\n.*: round 2 of 2\n$/)
})

t.test('slow-request is served on and off, and people can read it', async (t) => {
  const { code, stdout, stderr } = await runBuilt('run.js', ['slow-request', '--quick'])
  t.equal(code, 0, stderr)
  t.match(stdout, `Node ${process.version}`)
  t.match(stdout, 'Quick: the figures mean nothing.')
  t.match(stdout, /requests\/s +of off +half of all rounds +CPU µs a request +CPU ratio +p50 ms +p99 ms/)
  for (const variant of ['off', 'control: off again', 'on', 'on, but not for this route']) t.match(stdout, new RegExp(`^${variant} +\\d`, 'm'))
  t.match(stdout, /The control is off by at most \d/)
})

t.test('a bench that is not there is answered with those that are', async (t) => {
  const { code, stderr } = await runBuilt('run.js', ['teleport'])
  t.equal(code, 64)
  t.match(stderr, 'There is no bench "teleport"; there are codec, compression-br, compression-gzip, compression-identity, export, get-many, get-or-set-memory-hit, not-modified, parallel, pool-query, pool-query-route, redis-hit, redis-hit-route, slow-request, write-behind-cold, write-behind-hot.')
  t.match(stderr, 'npm run bench [-- <name>…] [--quick] [--json]')
})

t.test('a misspelt option is answered with the usage', async (t) => {
  const { code, stderr } = await runBuilt('run.js', ['--fast'])
  t.equal(code, 64)
  t.match(stderr, /Unknown option '--fast'.*npm run bench/s)
})
