import { getEventListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { Resource } from '../../plugins/cache/index.js'
import { gate } from '../helpers/gate.js'
import { ownRedis } from '../helpers/redis.js'
import { stayAwake } from './awake.js'
import { buildApp, connect, trustsMemory } from './build-app.js'
import { watchTimers } from './timers.js'

stayAwake(t)

const TIMEOUT = { code: 'FST_HEADROOM_CACHE_TIMEOUT' }

t.test('a call that has its answer leaves no timer and no listener, however it came by it', async (t) => {
  const { cache, clock } = await buildApp(t, { redis: false, staleOnError: '1m', softTimeout: '1m', maxWaiters: 3 })
  // From now on: the app has one of its own.
  const timers = watchTimers(t)
  const { signal } = new AbortController()
  const held = gate<string>()
  const callers = [cache.getOrSet('a', held.pass, { signal }), cache.getOrSet('a', held.pass, { signal })]
  await held.arrived()
  t.equal(await timers(), 5, 'two for each caller, and one for the load')
  t.equal(getEventListeners(signal, 'abort').length > 0, true)
  const leaving = new AbortController()
  const left = cache.getOrSet('a', held.pass, { signal: leaving.signal })
  await t.rejects(cache.getOrSet('a', held.pass, { signal }), { code: 'FST_HEADROOM_CACHE_BUSY' })
  leaving.abort()
  await t.rejects(left)
  t.equal(await timers(), 5, 'who left took its own along')
  await t.rejects(cache.getOrSet('a', held.pass, { signal, hardTimeout: '5ms' }), TIMEOUT)
  held.open('value')
  await Promise.all(callers)
  clock.milliseconds += 60_001
  t.equal(await cache.getOrSet('a', () => { throw new Error('away') }, { signal }), 'value')
  await cache.getMany(['b', 'c'], { key: (id) => id, load: () => [1, 2], signal })
  await t.rejects(cache.getMany(['d', 'e'], { key: (id) => id, load: () => { throw new Error('away') }, signal }))
  await t.rejects(cache.getOrSet('f', async () => await cache.getOrSet('f', () => 1, { signal }), { signal }), { code: 'FST_HEADROOM_CACHE_REENTRY' })
  t.equal(await timers(), 0)
  t.equal(getEventListeners(signal, 'abort').length, 0)
  t.equal(getEventListeners(leaving.signal, 'abort').length, 0)
})

t.test('a hard timeout bounds the whole call, though the load that it joined was given up for a load of its own', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const [abandoned, own] = [gate<string>(), gate<string>()]
  const leaving = new AbortController()
  const left = cache.getOrSet('a', abandoned.pass, { signal: leaving.signal })
  await abandoned.arrived()
  leaving.abort(new Error('left'))
  await t.rejects(left, { message: 'left' })
  const began = performance.now()
  const caller = cache.getOrSet('a', own.pass, { hardTimeout: '400ms' })
  const outcome = t.rejects(caller, TIMEOUT)
  await delay(300)
  abandoned.fail(new Error('aborted'))
  await own.arrived()
  await outcome
  t.ok(performance.now() - began < 600)
  own.open('late')
})

t.test('a Redis that hangs takes nothing of the time that a load may take', async (t) => {
  const server = await ownRedis(t)
  const app = await buildApp(t, { redis: await connect(t, server.url), commandTimeout: '100ms', hardTimeout: '60ms' })
  await trustsMemory(app)
  await server.pause()
  t.teardown(() => server.resume())
  t.equal(await app.cache.getOrSet('a', () => delay(20, 'loaded')), 'loaded')
  await server.resume()
})

t.test('a save that sets its own id fails, and does not wait for itself for ever', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const users: Resource<string, number> = cache.resource<string, number>('users', {
    load: () => 'loaded',
    write: 'through',
    save: async (id, value) => { if (value === 'outer') await users.set(id, 'inner') }
  })
  const outcome = await Promise.race([users.set(1, 'outer').then(() => 'kept', () => 'failed'), delay(300, 'hangs')])
  t.not(outcome, 'hangs')
})
