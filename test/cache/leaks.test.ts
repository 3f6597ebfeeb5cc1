import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
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
async function bytesForEachKey (round: (from: number) => Promise<void>): Promise<number> {
  await round(0)
  await round(10_000)
  const before = await used()
  for (const from of [20_000, 30_000, 40_000]) await round(from)
  return (await used() - before) / 30_000
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
