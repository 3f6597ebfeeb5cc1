import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { buildApps } from './build-app.js'

const redis = await useRedis(t)
const pause = (ms: number) => new Promise<void>((resolve) => { setTimeout(resolve, ms) })

t.test('who waits for another process when the key is deleted: one load of all of them, which is kept', async (t) => {
  const { apps: [a, ...others] } = await buildApps(t, 6, redis)
  const held = gate<string>()
  const first = a!.cache.getOrSet('a', held.pass)
  await held.arrived()
  let loads = 0
  const start: number[] = []
  const waiting = others.map((app) => app.cache.getOrSet('a', async () => { loads++; await pause(200); return `load ${loads}` }))
  await eventually(() => others.every((app) => app.cache.stats().loadsElsewhere === 1))
  const at = performance.now()
  await a!.cache.delete('a')
  await Promise.all(waiting.map(async (one) => { await one; start.push(Math.round(performance.now() - at)) }))
  t.equal(loads, 1)
  t.ok(Math.max(...start) < 500)
  t.not(await a!.cache.get('a'), undefined, 'it is kept')
  held.open('old')
  await first
})

t.test('a source that fails is not tried by one process after the other', async (t) => {
  const { apps } = await buildApps(t, 6, redis)
  const at = performance.now()
  const took = await Promise.all(apps.map(async (app) => {
    await app.cache.getOrSet('a', async () => { await pause(200); throw new Error('away') }).catch(() => {})
    return Math.round(performance.now() - at)
  }))
  t.ok(Math.max(...took) < 600)
})

t.test('ttl(0) in the place of something stale: the others load side by side', async (t) => {
  const { apps } = await buildApps(t, 6, redis)
  await apps[0]!.cache.set('a', 'stale', { ttl: 1, stale: '1h' })
  for (const { clock } of apps) clock.milliseconds += 100
  const at = performance.now()
  const took = await Promise.all(apps.map(async (app) => {
    await app.cache.getOrSet('a', async ({ ttl }) => { await pause(200); ttl(0); return 1 })
    return Math.round(performance.now() - at)
  }))
  t.ok(Math.max(...took) < 700)
})
