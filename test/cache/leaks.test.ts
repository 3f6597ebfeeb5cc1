import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { LoadRun } from '../../plugins/cache/load-run.js'
import { gate } from '../helpers/gate.js'
import { stayAwake } from './awake.js'
import { buildApp } from './build-app.js'

stayAwake(t)

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** What lives on. Collected in turns of their own: what a WeakRef was asked for lives until the end of its turn, signals among it. */
async function used (): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => { setImmediate(resolve) })
    gc()
  }
  return process.memoryUsage().heapUsed
}

/** Bytes of the heap for each key, once what grows to its bound has done so. What a map keeps of a key takes a hundred at least. */
async function bytesForEachKey (round: (from: number) => Promise<void>, keys = 10_000): Promise<number> {
  await round(0)
  await round(keys)
  const before = await used()
  for (const rounds of [2, 3, 4]) await round(rounds * keys)
  return (await used() - before) / (3 * keys)
}

t.test('keys that were left, failed, timed out or not kept leave nothing behind', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const bytes = await bytesForEachKey(async (from) => {
    for (let batch = from; batch < from + 10_000; batch += 500) {
      const held = gate<string>()
      const leaving = Array.from({ length: 125 }, () => new AbortController())
      const callers = Array.from({ length: 500 }, (_, index) => {
        const key = `key ${batch + index}`
        if (index % 4 === 0) return cache.getOrSet(key, held.pass, { signal: leaving[index / 4]!.signal })
        if (index % 4 === 1) return cache.getOrSet(key, held.pass, { hardTimeout: '1ms' })
        if (index % 4 === 2) return cache.getOrSet(key, () => { throw new Error('away') })
        return cache.getOrSet(key, held.pass, { ttl: 0 })
      })
      const settled = Promise.allSettled(callers)
      await held.arrived(375)
      for (const controller of leaving) controller.abort()
      held.fail(new Error('away'))
      await settled
    }
  })
  t.ok(bytes < 50, `${bytes} bytes a key`)
  t.match(cache.stats(), { entries: 0, bytes: 0 })
})

t.test('loads that never end leave nothing behind once they have taken longer than the longest', async (t) => {
  const { cache } = await buildApp(t, { redis: false, longestLoad: '1ms', hardTimeout: '1ms' })
  const bytes = await bytesForEachKey(async (from) => {
    const aborted = gate()
    await Promise.allSettled(Array.from({ length: 10_000 }, (_, index) => cache.getOrSet(`key ${from + index}`, ({ signal }) => {
      signal.addEventListener('abort', () => { void aborted.pass() })
      return new Promise(() => {})
    })))
    await aborted.arrived(10_000)
  })
  t.ok(bytes < 50, `${bytes} bytes a key`)
})

t.test('saves that never end leave nothing behind once they have taken longer than the longest load', async (t) => {
  const { cache } = await buildApp(t, { redis: false, longestLoad: '1ms' })
  const users = cache.resource<string, string>('user', {
    load: () => 'loaded',
    write: 'through',
    save: (_id, value) => value === 'endless' ? new Promise<void>(() => {}) : undefined
  })
  const bytes = await bytesForEachKey(async (from) => {
    for (let index = 0; index < 4_000; index++) void users.set(`key ${from + index}`, 'endless')
    void users.set('last', 'endless')
    // It follows the one before it, which is given up after all of the others.
    await users.set('last', 'brief')
  }, 4_000)
  t.ok(bytes < 100, `${bytes} bytes a key`)
})

t.test('a load that was begun by a timer of one that has ended holds on to nothing of that, nor of those before it', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const held = gate()
  const running = [cache.getOrSet('a load that runs all the while', held.pass)]
  const runs: Array<WeakRef<LoadRun>> = []
  const poll = (): void => {
    running[1] = cache.getOrSet(`poll ${runs.length}`, async () => {
      runs.push(new WeakRef(LoadRun.current!))
      if (runs.length < 300) setImmediate(poll)
      else await held.pass()
    }, { ttl: 0 })
  }
  poll()
  await held.arrived(2)
  await used()
  const alive = runs.filter((run) => run.deref() !== undefined).length
  held.open()
  await Promise.all(running)
  t.ok(alive < 30, `${alive} of ${runs.length} alive`)
})
