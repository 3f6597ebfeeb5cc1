import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { seededPostgres } from '../helpers/example-app.js'
import { childrenOf, runExample } from '../helpers/example-process.js'
import { ownRedis } from '../helpers/redis.js'

interface Answer { instance: string, name: string }

/** A new connection for each request, so that the instances take turns. */
async function read (url: string, id: number): Promise<Answer> {
  const response = await fetch(`${url}/api/users/${id}`, { headers: { connection: 'close' } })
  return { instance: response.headers.get('x-instance')!, name: (await response.json() as { name: string }).name }
}

const environment = { DATABASE_URL: await seededPostgres(t), REDIS_URL: (await ownRedis(t)).url }

t.test('two instances', async (t) => {
  const example = runExample(t, environment, ['--instances', '2'])
  const url = await example.url

  t.test('a change shows on the instance that wrote at once, and on the others within 50 ms', async (t) => {
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
    process.kill(childrenOf(example.child)[0]!, 'SIGKILL')
    await eventually(() => /Instance \d ended \(SIGKILL\); starting another/.test(example.output()))
    const seen = new Set<string>()
    await eventually(async () => seen.add((await read(url, 7).catch(() => ({ instance: '' }))).instance).has('1') && seen.has('2'))
    t.pass()
  })

  t.test('all instances close with the primary', async (t) => {
    example.child.kill('SIGTERM')
    t.equal(await example.ended, 0)
    await t.rejects(fetch(`${url}/api/health`))
  })
})

t.test('Ctrl-C while the instances start ends them all, without a word of failure', async (t) => {
  for (const moment of [100, 400, 700, 1_000]) {
    const example = runExample(t, environment, ['--instances', '2'])
    await delay(moment)
    // The terminal signals the whole group.
    process.kill(-example.child.pid!, 'SIGINT')
    await example.ended
    t.notMatch(example.output(), /could not start|starting another/, `after ${moment} ms`)
  }
})

t.test('Ctrl-C of which an instance dies before the primary has heard it', async (t) => {
  const example = runExample(t, environment, ['--instances', '2'])
  await eventually(() => childrenOf(example.child).length > 0)
  process.kill(childrenOf(example.child)[0]!, 'SIGINT')
  t.equal(await example.ended, 0)
  t.notMatch(example.output(), /could not start|starting another/)
})
