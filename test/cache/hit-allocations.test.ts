import { createHook } from 'node:async_hooks'
import { Session } from 'node:inspector/promises'
import t from 'tap'
import { buildApp } from './build-app.js'

const load = (): { name: string, roles: string[] } => ({ name: 'Ada', roles: ['admin'] })
const options = { ttl: '1h' } as const

t.test('a hit in memory makes no promise: all callers have the entry\'s own', async (t) => {
  const { cache } = await buildApp(t)
  await cache.getOrSet('a', load, options)
  let made = 0
  const hook = createHook({ init: (_id, type) => { if (type === 'PROMISE') made++ } })
  hook.enable()
  t.teardown(() => hook.disable())
  const first = cache.getOrSet('a', load, options)
  for (let n = 0; n < 1_000; n++) if (cache.getOrSet('a', load, options) !== first) t.fail('another promise')
  // The first hit makes the one that all have.
  t.equal(made, 1)
  const own = Promise.resolve()
  t.equal(made, 2, 'and one that is made is seen')
  await own
})

t.test('a hit in memory makes nothing else either, but for the number of milliseconds of the clock', async (t) => {
  const { cache } = await buildApp(t)
  await cache.getOrSet('a', load, options)
  const hits = (): void => { for (let n = 0; n < 100_000; n++) void cache.getOrSet('a', load, options) }
  t.ok(await fewestAllocated(hits) / 100_000 < SMALLEST_CLOSURE)
  const closures = (): void => { for (let n = 0; n < 100_000; n++) made = () => n }
  t.ok(await fewestAllocated(closures) / 100_000 >= SMALLEST_CLOSURE, 'and a closure a hit would be seen')
  t.type(made, 'function')
})

/** Bytes. */
const SMALLEST_CLOSURE = 56

let made: (() => number) | undefined

/** Of many rounds: V8 makes its best of the work when it finds the time. */
async function fewestAllocated (work: () => void): Promise<number> {
  let fewest = Infinity
  for (let round = 0; round < 20; round++) fewest = Math.min(fewest, await allocated(work))
  return fewest
}

async function allocated (work: () => void): Promise<number> {
  const session = new Session()
  session.connect()
  try {
    await session.post('HeapProfiler.startSampling', { samplingInterval: 128, includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true })
    work()
    const { profile } = await session.post('HeapProfiler.stopSampling')
    const sizeOf = ({ selfSize, children }: typeof profile.head): number => children.reduce((sum, child) => sum + sizeOf(child), selfSize)
    return sizeOf(profile.head)
  } finally {
    session.disconnect()
  }
}
