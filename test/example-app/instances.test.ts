import { spawnSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { seededPostgres } from '../helpers/example-app.js'
import { type ExampleProcess, runExample } from '../helpers/example-process.js'
import { ownRedis } from '../helpers/redis.js'

interface Answer { instance: string, name: string }

/** A new connection for each request, so that the instances take turns. */
async function read (url: string, id: number): Promise<Answer> {
  const response = await fetch(`${url}/api/users/${id}`, { headers: { connection: 'close' } })
  return { instance: response.headers.get('x-instance')!, name: (await response.json() as { name: string }).name }
}

async function start (t: Test, args: string[]): Promise<{ example: ExampleProcess, url: string }> {
  const redis = await ownRedis(t)
  const example = runExample(t, { DATABASE_URL: await seededPostgres(t), REDIS_URL: redis.url }, args)
  return { example, url: await example.url }
}

function workersOf (example: ExampleProcess): number[] {
  // ps fails where there is none.
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(example.child.pid)], { encoding: 'utf8' })
  return stdout.trim().split('\n').filter(Boolean).map(Number)
}

t.test('a change shows on the instance that wrote at once, and on the others within 50 ms', async (t) => {
  const { url } = await start(t, ['--instances', '2'])
  const late: number[] = []
  for (let round = 0; round < 25; round++) {
    const warm = new Set<string>()
    await eventually(async () => warm.add((await read(url, 7)).instance).size === 2)

    const name = `Round ${round}`
    const put = await fetch(`${url}/api/users/7`, {
      method: 'PUT', headers: { 'content-type': 'application/json', connection: 'close' }, body: JSON.stringify({ name })
    })
    const written = performance.now()
    const writer = put.headers.get('x-instance')

    const seen = new Set<string>()
    await eventually(async () => {
      const asked = performance.now()
      const answer = await read(url, 7)
      if (answer.name === name) seen.add(answer.instance)
      else if (answer.instance === writer) throw new Error('the instance that wrote gave the old value')
      else late.push(asked - written)
      return seen.size === 2
    })
  }
  t.ok(late.every((milliseconds) => milliseconds < 50), `old values were asked for at most ${Math.max(0, ...late).toFixed(1)} ms after the change`)
})

t.test('an instance that dies is replaced', async (t) => {
  const { example, url } = await start(t, ['--instances', '2'])
  process.kill(workersOf(example)[0]!, 'SIGKILL')
  await eventually(() => /Instance \d ended \(SIGKILL\); starting another/.test(example.output()))
  const seen = new Set<string>()
  await eventually(async () => seen.add((await read(url, 7).catch(() => ({ instance: '' }))).instance).has('1') && seen.has('2'))
  t.pass()
})

t.test('all instances close with the primary', async (t) => {
  const { example, url } = await start(t, ['--instances', '3'])
  example.child.kill('SIGTERM')
  t.equal(await example.ended, 0)
  await t.rejects(fetch(`${url}/api/health`))
})

t.test('Ctrl-C while the instances start ends them all, without a word of failure', async (t) => {
  const redis = await ownRedis(t)
  const databaseUrl = await seededPostgres(t)
  for (const moment of [100, 400, 700, 1_000]) {
    const example = runExample(t, { DATABASE_URL: databaseUrl, REDIS_URL: redis.url }, ['--instances', '2'])
    await delay(moment)
    // The terminal signals the whole group.
    process.kill(-example.child.pid!, 'SIGINT')
    await example.ended
    t.notMatch(example.output(), /could not start|starting another/, `after ${moment} ms`)
  }
})

t.test('Ctrl-C of which an instance dies before the primary has heard it', async (t) => {
  const redis = await ownRedis(t)
  const example = runExample(t, { DATABASE_URL: await seededPostgres(t), REDIS_URL: redis.url }, ['--instances', '2'])
  await eventually(() => workersOf(example).length > 0)
  process.kill(workersOf(example)[0]!, 'SIGINT')
  t.equal(await example.ended, 0)
  t.notMatch(example.output(), /could not start|starting another/)
})
