import t, { type Test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { buildTwo } from './build-app.js'

const redis = await useRedis(t)

const key = (id: number) => `k${id}`
const ids = Array.from({ length: 50 }, (_, id) => id)

for (const [name, answer] of [['do not exist', (gone: number[]) => gone.map(() => undefined)], ['could not be loaded', () => { throw new Error('away') }]] as const) {
  t.test(`a batch whose ids another process was loading, and that ${name}, is loaded by one bulk load`, async (t) => {
    const { a, b } = await buildTwo(t, redis)
    const held = gate()
    const here = a.cache.getMany(ids, { key, load: async (some: number[]) => { await held.pass(); return answer(some) } }).catch(() => {})
    await held.arrived()
    let calls = 0
    const there = b.cache.getMany(ids, { key, load: (some) => { calls++; return some.map((id) => id) } })
    await eventually(() => b.cache.stats().loadsElsewhere === 50)
    held.open()
    await here
    t.strictSame(await there, ids)
    t.ok(calls <= 2, `${calls} calls of the bulk load`)
  })
}

async function partly (t: Test) {
  const { a, b } = await buildTwo(t, redis)
  const held = gate<string>()
  const here = a.cache.getOrSet(key(2), held.pass).catch(() => {})
  await held.arrived()
  return { a, b, held, here }
}

t.test('the signal of the second part of a batch aborts when nobody waits for it any more', async (t) => {
  const { b, held, here } = await partly(t)
  const caller = new AbortController()
  let aborted = false
  const second = gate()
  const done = gate()
  const there = b.cache.getMany([1, 2], {
    key,
    signal: caller.signal,
    load: async (some, { signal }) => {
      if (some.includes(2)) {
        signal.addEventListener('abort', () => { aborted = true })
        await Promise.all([second.pass(), done.pass()])
      }
      return some
    }
  })
  await eventually(() => b.cache.stats().loads === 1 && b.cache.stats().loadsElsewhere === 1)
  held.fail(new Error('away'))
  await here
  await second.arrived()
  caller.abort()
  await t.rejects(there, { name: 'AbortError' })
  t.ok(aborted)
  second.open()
  done.open()
})

t.test('the second part of a batch that asks for its own key is told so', async (t) => {
  const { b, held, here } = await partly(t)
  const there = b.cache.getMany([1, 2], {
    key,
    hardTimeout: '2s',
    load: async (some) => {
      if (some.includes(2)) await b.cache.getOrSet(key(2), () => 'inner', { hardTimeout: '2s' })
      return some
    }
  })
  await eventually(() => b.cache.stats().loads === 1 && b.cache.stats().loadsElsewhere === 1)
  held.fail(new Error('away'))
  await here
  await t.rejects(there, { code: 'FST_HEADROOM_CACHE_REENTRY' })
})

t.test('two batches of two processes, of which each loader wants one that the other batch is loading, do not wait for each other for longer than a lease', async (t) => {
  const { a, b } = await buildTwo(t, redis, { lease: '300ms' })
  // p needs r; s needs q. Neither r nor q needs anything.
  const [inA, inB] = [gate(), gate()]
  const ofA = a.cache.getMany(['p', 'q'], { key: (id) => id, hardTimeout: '3s', load: async (some) => { await inA.pass(); await a.cache.getOrSet('r', () => 'r', { hardTimeout: '3s' }); return some } })
  const ofB = b.cache.getMany(['r', 's'], { key: (id) => id, hardTimeout: '3s', load: async (some) => { await inB.pass(); await b.cache.getOrSet('q', () => 'q', { hardTimeout: '3s' }); return some } })
  await Promise.all([inA.arrived(), inB.arrived()])
  inA.open()
  inB.open()
  const results = await Promise.allSettled([ofA, ofB])
  t.strictSame(results.map(({ status }) => status), ['fulfilled', 'fulfilled'])
})
