import t from 'tap'
import type { RedisClient } from '../../plugins/shared/redis-client.js'
import { LateError, RedisCommands, UNLESS_LATE, UnavailableError } from '../../plugins/shared/redis-commands.js'
import { connect } from '../cache/build-app.js'
import { eventually } from '../helpers/eventually.js'
import { useRedis } from '../helpers/redis.js'

const SET = `${UNLESS_LATE} redis.call('SET', KEYS[1], ARGV[1], 'PX', 60000) return 1`

const never = (): never => { throw new Error('must not be sent') }
const silent = (): Promise<never> => new Promise(() => {})
const TIME = async (): Promise<number[]> => [1_000, 0]

function fakeClient (methods: Partial<RedisClient>): RedisClient {
  return { status: 'ready', getBuffer: never, mgetBuffer: never, info: never, publish: never, eval: never, time: TIME, duplicate: never, ...methods }
}

t.test('no command is sent by a client that is not connected', async (t) => {
  for (const status of ['connecting', 'connect', 'reconnecting', 'close', 'end', 'monitoring']) {
    const commands = new RedisCommands({ client: fakeClient({ status, time: never }), timeout: 10 })
    t.equal(commands.available, false)
    await t.rejects(commands.get(['a']), UnavailableError)
    await t.rejects(commands.write(SET, { keys: ['a'], args: [] }), UnavailableError)
  }
})

t.test('a command that is not answered in time is given up', async (t) => {
  const commands = new RedisCommands({ client: fakeClient({ getBuffer: silent, eval: silent }), timeout: 5 })
  await t.rejects(commands.get(['a']), { name: 'DeadlineError' })
  await t.rejects(commands.write(SET, { keys: ['a'], args: [] }), { name: 'DeadlineError' })
})

t.test('after three failures in a row nothing is sent, and nobody waits: a probe in the background finds out when Redis is back', async (t) => {
  const asked = { reads: 0, times: 0 }
  let answers: () => Promise<never[]> = silent
  let recovered = 0
  const client = fakeClient({
    getBuffer: () => { asked.reads++; return silent() },
    time: () => { asked.times++; return answers() }
  })
  const commands = new RedisCommands({ client, timeout: 5, onRecovery: () => { recovered++ } })
  t.teardown(() => { commands.close() })
  for (let attempt = 0; attempt < 3; attempt++) await t.rejects(commands.get(['a']), { name: 'DeadlineError' })
  t.equal(commands.available, false)
  for (let attempt = 0; attempt < 100; attempt++) await t.rejects(commands.get(['a']), UnavailableError)
  await eventually(() => asked.times === 1)
  t.equal(commands.available, false)
  t.strictSame(asked, { reads: 3, times: 1 })
  answers = async () => []
  await eventually(() => commands.available)
  t.strictSame([asked, recovered], [{ reads: 3, times: 2 }, 1])
})

t.test('that Redis is away is said once an outage, and that it is back once it has answered', async (t) => {
  const said: string[] = []
  let answers: () => Promise<Buffer | null> = silent
  const client = fakeClient({ getBuffer: () => answers(), time: silent })
  const commands = new RedisCommands({ client, timeout: 5, onAway: ({ message }) => { said.push(message) }, onBack: () => { said.push('back') } })
  t.teardown(() => { commands.close() })
  const read = async (): Promise<unknown> => await commands.get(['a']).catch(() => {})
  for (let attempt = 0; attempt < 10; attempt++) await read()
  t.strictSame(said, ['Redis has failed too often just now'])
  for (let outage = 1; outage <= 2; outage++) {
    Object.assign(client, { status: 'reconnecting' })
    for (let attempt = 0; attempt < 10; attempt++) await read()
    t.equal(said.length, 2 * outage - 1, 'nothing more while it lasts')
    Object.assign(client, { status: 'ready', time: TIME })
    answers = async () => null
    await eventually(async () => { await read(); return said.length === 2 * outage })
    t.equal(said.at(-1), 'back')
  }
  t.equal(said[2], 'the Redis client is not connected (reconnecting)')
})

t.test('an app that closes does not say that Redis is away', async (t) => {
  const commands = new RedisCommands({ client: fakeClient({}), timeout: 5, onAway: () => { t.fail('it is not') } })
  commands.close()
  await t.rejects(commands.get(['a']), { message: 'the app is closing' })
})

t.test('an error that Redis answers with is about one command, and does not open the breaker', async (t) => {
  const forbidden = Object.assign(new Error('NOPERM this user has no permissions to access one of the keys'), { name: 'ReplyError' })
  const commands = new RedisCommands({ client: fakeClient({ getBuffer: async () => { throw forbidden } }), timeout: 5 })
  for (let attempt = 0; attempt < 5; attempt++) await t.rejects(commands.get(['a']), forbidden)
  t.equal(commands.available, true)
})

t.test('what is of another type than values are is read as an empty one', async (t) => {
  const { url, prefix } = await useRedis(t)
  const client = await connect(t, url)
  await client.rpush(`${prefix}list`, 'x')
  const commands = new RedisCommands({ client, timeout: 10_000 })
  t.strictSame(await commands.get([`${prefix}list`]), [Buffer.alloc(0)])
  t.strictSame(await commands.get([`${prefix}list`, `${prefix}absent`]), [null, null], 'but MGET has none for it')
})

t.test('a script that comes to Redis after its deadline does nothing', async (t) => {
  const { url, prefix } = await useRedis(t)
  const client = await connect(t, url)
  const clock = { now: 0 }
  let hold = 0
  const slow = fakeClient({
    time: () => client.time(),
    async eval (...args) {
      while (Number((await client.time())[0]) * 1_000 < hold) { /* on its way */ }
      return await client.eval(...args)
    }
  })
  const commands = new RedisCommands({ client: slow, timeout: 500, now: () => clock.now })
  const key = `${prefix}late`
  t.equal(await commands.write(SET, { keys: [key], args: ['in time'] }), 1)
  // Redis' clock goes on, ours does not: the script arrives two seconds after it was sent.
  hold = Number((await client.time())[0]) * 1_000 + 2_000
  const patient = new RedisCommands({ client: slow, timeout: 1_000, now: () => clock.now })
  await t.rejects(patient.write(SET, { keys: [key], args: ['late'] }))
  await t.resolves(new Promise((resolve) => { setTimeout(resolve, 2_500) }))
  t.equal(await client.get(key), 'in time')
})

t.test('when one of the clocks was set, the next script learns the time anew', async (t) => {
  const { url, prefix } = await useRedis(t)
  const client = await connect(t, url)
  let wrongBy = -10
  const commands = new RedisCommands({
    client: fakeClient({
      async time () {
        const [seconds, microseconds] = await client.time()
        return [Number(seconds) + wrongBy, Number(microseconds)]
      },
      eval: (...args) => client.eval(...args)
    }),
    timeout: 1_000
  })
  await t.rejects(commands.write(SET, { keys: [`${prefix}a`], args: ['x'] }), LateError)
  wrongBy = 0
  t.equal(await commands.write(SET, { keys: [`${prefix}a`], args: ['x'] }), 1)
})
