import t from 'tap'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stayAwake } from './awake.js'
import { stores } from './stores.js'

stayAwake(t)

/** A load that is held, and the signal that it was given. */
function heldLoad (): { held: ReturnType<typeof gate<string>>, signals: AbortSignal[], load: (context: { signal: AbortSignal }) => Promise<string> } {
  const held = gate<string>()
  const signals: AbortSignal[] = []
  return { held, signals, load: async ({ signal }) => { signals.push(signal); return await held.pass() } }
}

for (const store of stores(await useRedis(t))) {
  t.test(store.name, async (t) => {
    t.test('a caller that aborts rejects with its own reason, at once, and so does the load that nobody else waits for', async (t) => {
      const { cache } = await store.build(t)
      const { held, signals, load } = heldLoad()
      const leaving = new AbortController()
      const caller = cache.getOrSet('a', load, { signal: leaving.signal })
      await held.arrived()
      t.equal(signals[0]!.aborted, false)
      const reason = new Error('the client has left')
      leaving.abort(reason)
      t.equal(signals[0]!.aborted, true)
      t.equal(signals[0]!.reason, reason)
      await t.rejects(caller, reason)
      held.fail(reason)
    })

    t.test('a load is aborted only when the last of its callers has left', async (t) => {
      const { cache } = await store.build(t)
      const { held, signals, load } = heldLoad()
      const leaving = Array.from({ length: 3 }, () => new AbortController())
      const callers = leaving.map(({ signal }) => cache.getOrSet('a', load, { signal }).catch((error: unknown) => error))
      await held.arrived()
      for (const [index, controller] of leaving.entries()) {
        t.equal(signals[0]!.aborted, false)
        controller.abort(`left as number ${index}`)
        t.equal(await callers[index], `left as number ${index}`)
      }
      t.equal(signals[0]!.aborted, true)
      t.equal(signals.length, 1)
      held.fail(new Error('aborted'))
    })

    t.test('a caller without a signal keeps a load going, and gets what it brings', async (t) => {
      const { cache } = await store.build(t)
      const { held, signals, load } = heldLoad()
      const leaving = new AbortController()
      const left = cache.getOrSet('a', load, { signal: leaving.signal })
      const stays = cache.getOrSet('a', load)
      await held.arrived()
      leaving.abort(new Error('left'))
      await t.rejects(left, { message: 'left' })
      t.equal(signals[0]!.aborted, false)
      held.open('value')
      t.equal(await stays, 'value')
    })

    t.test('who was content with a timeout or with a stale value leaves the load going', async (t) => {
      const { cache, clock } = await store.build(t)
      await cache.getOrSet('a', () => 'old', { ttl: '1s', staleOnError: '1h' })
      clock.milliseconds += 2_000
      const { held, signals, load } = heldLoad()
      const leaving = new AbortController()
      const { signal } = leaving
      t.equal(await cache.getOrSet('a', load, { signal, softTimeout: '5ms', staleOnError: '1h' }), 'old')
      await t.rejects(cache.getOrSet('a', load, { signal, hardTimeout: '5ms' }), { code: 'FST_HEADROOM_CACHE_TIMEOUT' })
      await held.arrived()
      leaving.abort()
      t.equal(signals[0]!.aborted, false)
      held.open('new')
      t.equal(await cache.getOrSet('a', load), 'new')
      t.equal(signals.length, 1)
    })

    t.test('who comes after the abort gets what the load brings all the same', async (t) => {
      const { cache } = await store.build(t)
      const { held, load } = heldLoad()
      const leaving = new AbortController()
      const left = cache.getOrSet('a', load, { signal: leaving.signal })
      await held.arrived()
      leaving.abort()
      await t.rejects(left)
      const late = cache.getOrSet('a', () => t.fail('must not be loaded'))
      held.open('value')
      t.equal(await late, 'value')
      t.equal(await cache.get('a'), 'value')
    })

    t.test('who comes after the abort never gets the error of those who left, but a value of a load of its own', async (t) => {
      const { cache } = await store.build(t)
      const { held, signals, load } = heldLoad()
      const leaving = new AbortController()
      const left = cache.getOrSet('a', load, { signal: leaving.signal })
      await held.arrived()
      leaving.abort()
      await t.rejects(left)
      let loads = 0
      const late = Array.from({ length: 20 }, () => cache.getOrSet('a', () => `load ${++loads}`))
      const batch = cache.getMany(['a', 'b'], { key: (id) => id, load: (ids) => ids.map((id) => `batch of ${id}`) })
      held.fail(signals[0]!.reason as Error)
      for (const value of await Promise.all(late)) t.equal(value, 'load 1')
      t.match(await batch, [/load 1|batch of a/, 'batch of b'])
      t.equal(await cache.get('a'), 'load 1')
    })

    t.test('a caller whose signal has aborted already starts no load, and leaves none it could share', async (t) => {
      const { cache } = await store.build(t)
      const reason = new Error('gone')
      const signal = AbortSignal.abort(reason)
      const load = (): never => { throw new Error('must not be called') }
      const users = cache.resource('users', { load })
      await t.rejects(cache.getOrSet('a', load, { signal }), reason)
      await t.rejects(cache.getMany(['a'], { key: (id) => id, load, signal }), reason)
      await t.rejects(cache.getMany(['a'], { key: (id) => id, load, signal, settle: true }), reason)
      await t.rejects(users.get(1, { signal }), reason)
      await t.rejects(users.getMany([1], { signal }), reason)
      t.match(cache.stats(), { loads: 0, shared: 0 })
    })

    t.test('a caller whose signal has aborted already is given nothing, though the value is at hand', async (t) => {
      const { cache } = await store.build(t)
      const reason = new Error('gone')
      const signal = AbortSignal.abort(reason)
      const load = (): never => { throw new Error('must not be called') }
      const [users, all] = [cache.resource('users', { load }), cache.resource('all', { load, loadMany: load })]
      for (const key of ['a', 'users:1', 'all:1']) await cache.set(key, 'at hand')
      await t.rejects(cache.getOrSet('a', load, { signal }), reason)
      await t.rejects(cache.getMany(['a'], { key: (id) => id, load, signal }), reason)
      await t.rejects(cache.getMany(['a'], { key: (id) => id, load, signal, settle: true }), reason)
      for (const resource of [users, all]) {
        await t.rejects(resource.get(1, { signal }), reason)
        await t.rejects(resource.getMany([1], { signal }), reason)
      }
      t.equal(await cache.getOrSet('a', load), 'at hand')
    })

    t.test('a caller that leaves before its load has begun is not loaded for', async (t) => {
      const { cache } = await store.build(t)
      const leaving = new AbortController()
      const caller = cache.getOrSet('a', () => t.fail('must not be loaded'), { signal: leaving.signal })
      leaving.abort(new Error('left'))
      await t.rejects(caller, { message: 'left' })
      await cache.getOrSet('b', () => 'what is asked for later is loaded later')
      t.equal(cache.stats().loads, 1)
    })

    t.test('a batch is aborted when nobody waits for any of its ids', async (t) => {
      const { cache } = await store.build(t)
      const { held, signals, load } = heldLoad()
      const [leaving, joining] = [new AbortController(), new AbortController()]
      const options = { key: (id: string) => id, load: async (ids: string[], context: { signal: AbortSignal }) => { await load(context); return ids } }
      const batch = cache.getMany(['a', 'b', 'c'], { ...options, signal: leaving.signal })
      await held.arrived()
      const joined = cache.getOrSet('b', load, { signal: joining.signal })
      leaving.abort(new Error('left'))
      await t.rejects(batch, { message: 'left' })
      t.equal(signals[0]!.aborted, false)
      joining.abort(new Error('left too'))
      await t.rejects(joined, { message: 'left too' })
      t.equal(signals[0]!.aborted, true)
      held.fail(new Error('aborted'))
    })

    t.test('a batch that is to give each id a result of its own rejects all the same when its signal aborts', async (t) => {
      const { cache } = await store.build(t)
      const { held, load } = heldLoad()
      const leaving = new AbortController()
      await cache.set('a', 'at hand')
      const batch = cache.getMany(['a', 'b'], { key: (id) => id, load: async (_ids, context) => [await load(context)], settle: true, signal: leaving.signal })
      await held.arrived()
      leaving.abort(new Error('left'))
      await t.rejects(batch, { message: 'left' })
      held.fail(new Error('aborted'))
    })

    t.test('a batch rejects with the reason of its signal, whatever had failed before', async (t) => {
      const { cache } = await store.build(t)
      const [failing, waiting] = [gate<string>(), gate<string>()]
      const others = [cache.getOrSet('a', failing.pass).catch(() => {}), cache.getOrSet('b', waiting.pass)]
      await Promise.all([failing.arrived(), waiting.arrived()])
      const leaving = new AbortController()
      const batch = cache.getMany(['a', 'b'], { key: (id) => id, load: (ids) => ids, signal: leaving.signal })
      failing.fail(new Error('source away'))
      await others[0]
      leaving.abort(new Error('left'))
      await t.rejects(batch, { message: 'left' })
      waiting.open('b')
    })

    t.test('many callers with one signal all leave at once, and Node warns of no leak', async (t) => {
      const { cache } = await store.build(t)
      const warnings: Error[] = []
      const listener = (warning: Error): void => { warnings.push(warning) }
      process.on('warning', listener)
      t.teardown(() => process.off('warning', listener))
      const { held, signals, load } = heldLoad()
      const leaving = new AbortController()
      const reason = new Error('left')
      const callers = Array.from({ length: 50 }, () => cache.getOrSet('a', load, { signal: leaving.signal }))
      const batch = cache.getMany(Array.from({ length: 50 }, (_, id) => id), { key: String, load: async (ids, context) => { await load(context); return ids }, signal: leaving.signal })
      await held.arrived(2)
      leaving.abort(reason)
      for (const outcome of await Promise.allSettled([...callers, batch])) t.strictSame(outcome, { status: 'rejected', reason })
      t.strictSame(signals.map(({ aborted }) => aborted), [true, true])
      held.fail(reason)
      await new Promise((resolve) => { setImmediate(resolve) })
      t.strictSame(warnings.map(({ name }) => name), [])
    })

    t.test('a client that leaves is no failure of the source: who comes next gets a fresh value, not the stale one', async (t) => {
      const { cache, clock } = await store.build(t)
      const kept = { ttl: '1s', staleOnError: '1h' }
      await cache.getOrSet('a', () => 'old', kept)
      clock.milliseconds += 2_000
      const { held, signals, load } = heldLoad()
      const leaving = new AbortController()
      const left = cache.getOrSet('a', load, { ...kept, signal: leaving.signal })
      await held.arrived()
      leaving.abort()
      await t.rejects(left)
      const late = cache.getOrSet('a', () => 'new', kept)
      held.fail(signals[0]!.reason as Error)
      t.equal(await late, 'new')
    })
  })
}
