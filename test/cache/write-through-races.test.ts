import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Redis } from 'ioredis'
import { gate, type Gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { altered, buildApp, connect, freshPrefix, heard } from './build-app.js'

const redis = await useRedis(t)
const client = await connect(t, redis.url)

/** What a set does, in this order; and what another process does with the same id meanwhile. */
type Step = 'bars' | 'reads' | 'saves' | 'writes'
const STEPS: readonly Step[] = ['bars', 'saves', 'writes']

/** All orders in which the steps of two can come that keep each one's own order. */
function interleavings<A, B> (a: readonly A[], b: readonly B[]): Array<Array<['a', A] | ['b', B]>> {
  if (a.length === 0) return [b.map((step) => ['b', step])]
  if (b.length === 0) return [a.map((step) => ['a', step])]
  return [
    ...interleavings(a.slice(1), b).map((rest): Array<['a', A] | ['b', B]> => [['a', a[0]!], ...rest]),
    ...interleavings(a, b.slice(1)).map((rest): Array<['a', A] | ['b', B]> => [['b', b[0]!], ...rest])
  ]
}

interface Row { value: string }

/** A process over the one Redis, each of whose steps waits until it is let through, and is over when `let` resolves. */
async function contender (t: Test, prefix: string, row: Row) {
  const gates: Record<Step, Gate<void>> = { bars: gate(), reads: gate(), saves: gate(), writes: gate() }
  let stepping = false
  let barring = false
  const ended: Record<Step, Gate<void>> = { bars: gate(), reads: gate(), saves: gate(), writes: gate() }
  const through = async <T> (step: Step, work: () => Promise<T>): Promise<T> => {
    if (!stepping) return await work()
    await gates[step].pass()
    try {
      return await work()
    } finally {
      void ended[step].pass()
    }
  }
  const app = await buildApp(t, {
    prefix,
    // The scripts are counted: none but those of the value.
    lease: false,
    redis: altered(client, {
      getBuffer: (key) => through('reads', () => client.getBuffer(key)),
      mgetBuffer: (...keys) => through('reads', () => client.mgetBuffer(...keys)),
      eval: (script, keys, ...rest) => {
        // A set writes twice: first that there is nothing any more, then what there is.
        const step = barring ? 'bars' : 'writes'
        barring = false
        return through(step, () => client.eval(script, keys, ...rest))
      }
    }) as unknown as Redis
  })
  const users = app.cache.resource('user', {
    ttl: '1h',
    load: async (_id: number) => row.value,
    save: (_id: number, value: string) => through('saves', async () => { row.value = value }),
    write: 'through'
  })
  return {
    app,
    users,
    begin: (setting: boolean) => {
      stepping = true
      barring = setting
    },
    end: () => {
      stepping = false
      for (const one of Object.values(gates)) one.open()
    },
    async let (step: Step) {
      const before = ended[step].arrivals
      await gates[step].arrived(before + 1)
      gates[step].letOne()
      await ended[step].arrived(before + 1)
      // What follows from the answer, up to the next gate.
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => { setImmediate(resolve) })
    }
  }
}

async function scene (t: Test) {
  const prefix = freshPrefix(redis.prefix)
  const row: Row = { value: 'first' }
  const [a, b, reader] = [await contender(t, prefix, row), await contender(t, prefix, row), await contender(t, prefix, row)]
  await heard(client, prefix, 3)
  // Each loads, and does not find: what it asks Redis only once, it has asked.
  for (const { app } of [a, b, reader]) await app.cache.getOrSet(randomUUID(), () => 1)
  // Redis sends a message to all subscribers before it answers whoever sent it, but these have connections of their own.
  const settled = async () => {
    for (const { app } of [a, b, reader]) await app.cache.set('echo', 1)
    await new Promise((resolve) => { setTimeout(resolve, 10) })
  }
  return { prefix, row, a, b, reader, settled }
}

for (const kept of [false, true]) {
  t.test(`two processes set one id, ${kept ? 'which is kept' : 'of which nothing is kept'}: in every order of their steps, all read what the source has in the end`, async (t) => {
    for (const order of interleavings(STEPS, STEPS)) {
      await t.test(order.map(([who, step]) => `${who} ${step}`).join(', '), async (t) => {
        const { prefix, row, a, b, reader, settled } = await scene(t)
        if (kept) for (const { users } of [a, b, reader]) await users.get(1)
        a.begin(true)
        b.begin(true)
        const [first, second] = [a.users.set(1, 'by a'), b.users.set(1, 'by b')]
        for (const [who, step] of order) await (who === 'a' ? a : b).let(step)
        a.end()
        b.end()
        await Promise.all([first, second])
        await settled()
        for (const { users } of [a, b, reader]) t.equal(await users.get(1), row.value)
        const fresh = await contender(t, prefix, row)
        t.equal(await fresh.users.get(1), row.value, 'an app that starts now')
      })
    }
  })
}

t.test('a process sets an id that another loads: in every order of their steps, all read what the source has in the end', async (t) => {
  const LOAD = ['reads', 'loads', 'writes'] as const
  for (const order of interleavings(STEPS, LOAD)) {
    await t.test(order.map(([who, step]) => `${who === 'a' ? 'set' : 'get'} ${step}`).join(', '), async (t) => {
      const { prefix, row, a, b, reader, settled } = await scene(t)
      const loading = gate()
      const loaded = gate()
      a.begin(true)
      const written = a.users.set(1, 'new')
      b.begin(false)
      const got = b.app.cache.getOrSet('user:1', async () => {
        await loading.pass()
        const { value } = row
        void loaded.pass()
        return value
      }, { ttl: '1h' })
      const over = got.then(() => { b.end() })
      for (const [who, step] of order) {
        if (who === 'a') await a.let(step)
        else if (step === 'loads') {
          // Where Redis has the new value already, there is nothing to load, or to write.
          if (await Promise.race([loading.arrived().then(() => true), over.then(() => false)])) {
            loading.open()
            await loaded.arrived()
          }
        } else if (step === 'reads') await b.let(step)
        else await Promise.race([b.let(step), over])
      }
      a.end()
      b.end()
      await Promise.all([written, got])
      await settled()
      for (const { users } of [a, b, reader]) t.equal(await users.get(1), row.value)
      const fresh = await contender(t, prefix, row)
      t.equal(await fresh.users.get(1), 'new', 'an app that starts now')
    })
  }
})
