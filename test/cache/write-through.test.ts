import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { ownRedis, useRedis } from '../helpers/redis.js'
import { buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'
import { stores } from './stores.js'

const redis = await useRedis(t)

/** A source of texts by id, and a resource's options that read and write it. */
function source () {
  const rows = new Map<number, unknown>()
  const counts = { loads: 0, saves: 0 }
  const options = {
    load: async (id: number): Promise<unknown> => { counts.loads++; return rows.get(id) },
    save: async (id: number, value: unknown) => { counts.saves++; rows.set(id, structuredClone(value)) },
    write: 'through' as const
  }
  return { rows, counts, options }
}

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    t.test('set brings the value to the source, then to the cache', async (t) => {
      const { cache } = await store.build(t)
      const { rows, counts, options } = source()
      const entrance = gate()
      const users = cache.resource('user', {
        ...options,
        save: async (id: number, value) => { await entrance.pass(); await options.save(id, value) }
      })
      const written = users.set(1, { name: 'Ada' })
      await entrance.arrived()
      t.equal(await cache.has('user:1'), false, 'nothing is kept that the source may refuse')
      entrance.open()
      t.strictSame(await written, { shared: store.redis })
      t.strictSame(rows.get(1), { name: 'Ada' })
      t.strictSame(await users.get(1), { name: 'Ada' })
      t.equal(counts.loads, 0)
    })

    t.test('a value that is set is kept as long as the resource says', async (t) => {
      const { cache, clock } = await store.build(t)
      const { counts, options } = source()
      const users = cache.resource('user', { ...options, ttl: '5s' })
      await users.set(1, 'a')
      clock.milliseconds += 4_999
      await users.get(1)
      t.equal(counts.loads, 0)
      clock.milliseconds += 1
      await users.get(1)
      t.equal(counts.loads, 1)
      const unkept = cache.resource('unkept', { ...options, ttl: 0 })
      await unkept.set(1, 'b')
      t.equal(await cache.has('unkept:1'), false)
    })

    t.test('a save that fails rejects with its error, and forgets what was kept', async (t) => {
      const { cache } = await store.build(t)
      const error = new Error('duplicate name')
      const { rows, options } = source()
      rows.set(1, 'old')
      for (const save of [async () => { throw error }, () => { throw error }]) {
        const users = cache.resource(`user ${save.constructor.name}`, { ...options, save })
        await users.get(1)
        t.equal(await users.set(1, 'new').catch((reason: unknown) => reason), error)
        t.equal(await cache.has(`user ${save.constructor.name}:1`), false, 'it may have come to the source all the same')
        t.equal(await users.get(1), 'old')
      }
    })

    t.test('two sets of one id run one after the other, in the order they were asked for; of two ids, side by side', async (t) => {
      const { cache } = await store.build(t)
      const entrance = gate()
      const saved: unknown[] = []
      const users = cache.resource('user', {
        load: () => undefined as unknown,
        save: async (id: number, value) => { saved.push(`begins ${id} ${value}`); await entrance.pass(); saved.push(`ends ${id} ${value}`) },
        write: 'through'
      })
      const [first, second, other] = [users.set(1, 'a'), users.set(1, 'b'), users.set(2, 'c')]
      await entrance.arrived(2)
      t.strictSame([...saved].sort(), ['begins 1 a', 'begins 2 c'])
      entrance.letOne()
      entrance.letOne()
      await first
      await entrance.arrived(3)
      entrance.open()
      await Promise.all([second, other])
      t.equal(saved.indexOf('ends 1 a') < saved.indexOf('begins 1 b'), true)
      t.equal(await users.get(1), 'b')
      t.equal(await users.get(2), 'c')
    })

    t.test('a set that fails does not hold up the next one', async (t) => {
      const { cache } = await store.build(t)
      const { options } = source()
      let times = 0
      const users = cache.resource('user', { ...options, save: () => { if (times++ === 0) throw new Error('once') } })
      const [first, second] = [users.set(1, 'a'), users.set(1, 'b')]
      await t.rejects(first, { message: 'once' })
      await second
      t.equal(await users.get(1), 'b')
    })

    t.test('a load that begins before a set, or while it saves, is never kept', async (t) => {
      for (const begins of ['before', 'while it saves'] as const) {
        for (const ends of ['while it saves', 'after'] as const) {
          const { cache } = await store.build(t)
          const [loading, saving] = [gate<string>(), gate()]
          const users = cache.resource('user', { load: (_id: number) => loading.pass(), save: saving.pass, write: 'through' })
          let loaded = begins === 'before' ? users.get(1) : undefined
          if (loaded !== undefined) await loading.arrived()
          const written = users.set(1, 'new')
          await saving.arrived()
          loaded ??= users.get(1)
          await loading.arrived()
          if (ends === 'while it saves') {
            loading.letOne('old')
            await loaded
          }
          saving.open()
          await written
          if (ends === 'after') loading.letOne('old')
          t.equal(await loaded, 'old')
          loading.open('new')
          t.equal(await users.get(1), 'new', `begins ${begins}, ends ${ends}`)
        }
      }
    })

    t.test('a delete, a set or an invalidation while it saves wins over it', async (t) => {
      const { cache } = await store.build(t)
      const actions: Array<[name: string, act: () => Promise<unknown>]> = [
        ['resource.delete', () => users.delete(1)], ['delete', () => cache.delete('user:1')],
        ['invalidateTags', () => cache.invalidateTags('users')], ['clear', () => cache.clear()]
      ]
      let saving = gate()
      const users = cache.resource('user', { load: () => 'loaded', save: (_id: number) => saving.pass(), write: 'through', tags: ['users'] })
      for (const [name, act] of actions) {
        saving = gate()
        const written = users.set(1, 'set')
        await saving.arrived()
        await act()
        saving.open()
        await written
        t.equal(await cache.has('user:1'), false, name)
        t.equal(await users.get(1), 'loaded', name)
      }
    })

    t.test('a save longer than the longest load keeps nothing where others could have written meanwhile', async (t) => {
      const { cache, clock } = await store.build(t, { longestLoad: '10s' })
      const { rows, options } = source()
      const users = cache.resource('user', { ...options, save: (id: number, value) => { rows.set(id, value); clock.milliseconds += 10_001 } })
      await users.set(1, 'slow')
      t.equal(rows.get(1), 'slow')
      t.equal(await cache.has('user:1'), !store.redis)
      t.equal(await users.get(1), 'slow')
    })

    t.test('a value that cannot be kept, or is too large, comes to the source, and forgets what was kept', async (t) => {
      const { cache } = await store.build(t)
      class User { readonly name = 'Ada' }
      const { counts, options } = source()
      const users = cache.resource('user', { ...options, maxBytes: 1_000 })
      const values: Array<[unknown, 'unsupported' | 'oversized']> = [[new User(), 'unsupported'], ['x'.repeat(1_000), 'oversized']]
      for (const [value, counted] of values) {
        await users.set(1, 'kept')
        t.equal(await cache.has('user:1'), true)
        const [saves, count] = [counts.saves, cache.stats()[counted]]
        await users.set(1, value)
        t.equal(counts.saves, saves + 1)
        t.equal(cache.stats()[counted], count + 1)
        t.equal(await cache.has('user:1'), false)
      }
    })

    t.test('the cache has what the source was given, though the caller goes on to change it', async (t) => {
      const { cache } = await store.build(t)
      const { rows, options } = source()
      const users = cache.resource('user', options)
      const user = { name: 'Ada' }
      const written = users.set(1, user)
      user.name = 'Grace'
      await written
      user.name = 'Alan'
      t.strictSame(await users.get(1), rows.get(1))
    })

    if (!store.redis) return

    t.test('another process has the new value once the set has resolved', async (t) => {
      const prefix = freshPrefix(redis.prefix)
      const [here, there] = [await store.build(t, { prefix }), await store.build(t, { prefix })]
      const { rows, counts, options } = source()
      rows.set(1, 'old')
      const [users, others] = [here.cache.resource('user', options), there.cache.resource('user', options)]
      t.equal(await others.get(1), 'old')
      await users.set(1, 'new')
      await eventually(async () => await others.get(1) === 'new')
      t.equal(counts.loads, 1, 'out of Redis')
    })
  })
}

t.test('while Redis is away a set comes to the source, and nothing older is given out, here or when it is back', async (t) => {
  const server = await ownRedis(t)
  const client = await connect(t, server.url)
  const [here, there] = [
    await buildApp(t, { redis: client, commandTimeout: 50 }), await buildApp(t, { redis: await connect(t, server.url), commandTimeout: 50 })
  ]
  await Promise.all([trustsMemory(here), trustsMemory(there)])
  const { rows, options } = source()
  const [users, others] = [here.cache.resource('user', options), there.cache.resource('user', options)]
  await users.set(1, 'old')
  t.equal(await others.get(1), 'old')
  await server.pause()
  t.strictSame(await users.set(1, 'new'), { shared: false })
  t.equal(rows.get(1), 'new')
  t.equal(await users.get(1), 'new')
  await server.resume()
  await eventually(async () => await others.get(1) === 'new')
  t.equal(await users.get(1), 'new')
  const fresh = await buildApp(t, { redis: client })
  t.equal(await fresh.cache.resource('user', options).get(1), 'new')
})

t.test('Redis goes away while the source saves: nothing older is given out, here or when it is back', async (t) => {
  const server = await ownRedis(t)
  const client = await connect(t, server.url)
  const app = await buildApp(t, { redis: client, commandTimeout: 50 })
  await trustsMemory(app)
  const { rows, options } = source()
  const saving = gate()
  const users = app.cache.resource('user', { ...options, save: async (id: number, value) => { await saving.pass(); await options.save(id, value) } })
  rows.set(1, 'old')
  t.equal(await users.get(1), 'old')
  const written = users.set(1, 'new')
  await saving.arrived()
  await server.pause()
  saving.open()
  t.strictSame(await written, { shared: false })
  t.equal(await users.get(1), 'new')
  await server.resume()
  await eventually(async () => (await app.cache.set('sign of life', 1)).shared)
  await eventually(async () => {
    const fresh = await buildApp(t, { redis: client })
    return await fresh.cache.resource('user', options).get(1) === 'new'
  })
  t.equal(await users.get(1), 'new')
})
