import fc from 'fast-check'
import t from 'tap'
import type { Id } from '../../plugins/cache/index.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { buildApp } from './build-app.js'
import { stores } from './stores.js'

const redis = await useRedis(t)

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    t.test('get loads what is not kept, once, and is kept under its name and id', async (t) => {
      const { cache, clock } = await store.build(t)
      const asked: number[] = []
      const users = cache.resource('user', { ttl: '1s', load: async (id: number) => { asked.push(id); return { id } } })
      t.strictSame(await Promise.all([users.get(7), users.get(7), users.get(8)]), [{ id: 7 }, { id: 7 }, { id: 8 }])
      // Each as soon as the node of a Cluster that has its key has answered.
      t.strictSame([...asked].sort(), [7, 8])
      t.strictSame(await cache.get('user:7'), { id: 7 })
      clock.milliseconds += 1_000
      await users.get(7)
      t.strictSame(asked.slice(2), [7])
    })

    t.test('getMany asks loadMany once for what is not kept, in order and without duplicates', async (t) => {
      const { cache } = await store.build(t)
      const asked: number[][] = []
      const users = cache.resource('user', {
        load: (id: number) => `one ${id}`,
        loadMany: (ids) => { asked.push([...ids]); return new Map(ids.map((id) => [id, `many ${id}`])) }
      })
      await users.get(2)
      t.strictSame(await users.getMany([3, 2, 1, 3]), ['many 3', 'one 2', 'many 1', 'many 3'])
      t.strictSame(asked, [[3, 1]])
      t.equal(await users.get(3), 'many 3')
      t.strictSame(await users.getMany([]), [])
    })

    t.test('without loadMany, getMany loads each by itself, side by side', async (t) => {
      const { cache } = await store.build(t)
      const entrance = gate()
      const users = cache.resource('user', { load: async (id: number) => { await entrance.pass(); return `one ${id}` } })
      const call = users.getMany([3, 1, 2, 1])
      await entrance.arrived(3)
      entrance.open()
      t.strictSame(await call, ['one 3', 'one 1', 'one 2', 'one 1'])
      t.equal(entrance.arrivals, 3)
      t.strictSame(await users.getMany([1, 2, 3]), ['one 1', 'one 2', 'one 3'])
      t.equal(entrance.arrivals, 3)
    })

    t.test('without loadMany, each load rules its own ttl and tags', async (t) => {
      const { cache, clock } = await store.build(t)
      const users = cache.resource('user', {
        ttl: '1m',
        load: async (id: number, { ttl, tags }) => {
          if (id === 1) ttl('1s')
          if (id === 2) tags('second')
          if (id === 3) ttl(0)
          return id
        }
      })
      t.strictSame(await users.getMany([1, 2, 3, 4]), [1, 2, 3, 4])
      const kept = async () => (await Promise.all([1, 2, 3, 4].map((id) => cache.has(`user:${id}`))))
      t.strictSame(await kept(), [true, true, false, true])
      await cache.invalidateTags('second')
      t.strictSame(await kept(), [true, false, false, true])
      clock.milliseconds += 1_000
      t.strictSame(await kept(), [false, false, false, true])
    })

    t.test('without loadMany, one that fails fails the call with its error, and the others are kept', async (t) => {
      const { cache } = await store.build(t)
      const error = new Error('no such user')
      const users = cache.resource('user', { load: async (id: number) => { if (id === 2) throw error; return id } })
      t.equal(await users.getMany([1, 2, 3]).catch((reason: unknown) => reason), error)
      t.strictSame(await Promise.all([1, 2, 3].map((id) => cache.has(`user:${id}`))), [true, false, true])
    })

    t.test('that there is none, null or undefined, is kept for negativeTtl only', async (t) => {
      const { cache, clock } = await store.build(t)
      let loads = 0
      for (const [name, nothing] of [['a', null], ['b', undefined]] as const) {
        loads = 0
        const never = cache.resource(name, { load: (): unknown => { loads++; return nothing } })
        t.equal(await never.get(1), nothing)
        t.strictSame(await never.getMany([1]), [nothing])
        t.equal(loads, 2, `${nothing} is not kept by default`)
        loads = 0
        const known = cache.resource(`known ${name}`, { negativeTtl: '1s', ttl: '1h', load: (): unknown => { loads++; return nothing } })
        await known.get(1)
        t.equal(await known.get(1), nothing)
        t.strictSame(await known.getMany([1]), [nothing])
        t.equal(loads, 1)
        clock.milliseconds += 1_000
        await known.get(1)
        t.equal(loads, 2)
      }
    })

    t.test('delete forgets one id, and the source is asked again', async (t) => {
      const { cache } = await store.build(t)
      let version = 1
      const users = cache.resource('user', { load: (id: number) => `${id} v${version}` })
      await users.getMany([1, 2])
      version = 2
      t.strictSame(await users.delete(1), { shared: store.redis })
      t.strictSame(await users.getMany([1, 2]), ['1 v2', '2 v1'])
    })

    t.test('tags of the resource void all that it has', async (t) => {
      const { cache } = await store.build(t)
      let version = 1
      const users = cache.resource('user', { tags: ['users'], load: (id: number) => `${id} v${version}`, save: () => {}, write: 'through' })
      await users.getMany([1, 2])
      await users.set(3, '3 v1')
      version = 2
      await cache.invalidateTags('users')
      t.strictSame(await users.getMany([1, 2, 3]), ['1 v2', '2 v2', '3 v2'])
    })

    t.test('clone gives every caller a copy of its own, whichever way it asks', async (t) => {
      const { cache } = await store.build(t)
      const users = cache.resource('user', { clone: true, load: (id: number) => ({ id, name: 'Ada' }) })
      for (const take of [() => users.get(1), () => users.get(1), async () => (await users.getMany([1]))[0]!, () => users.refresh(1)]) {
        const mine = await take()
        mine.name = 'changed'
        t.strictSame(await users.get(1), { id: 1, name: 'Ada' })
      }
    })

    t.test('a signal is that call\'s own', async (t) => {
      const { cache } = await store.build(t)
      const entrance = gate<string>()
      const users = cache.resource('user', { load: (_id: number) => entrance.pass() })
      const controller = new AbortController()
      const [leaving, many, staying] = [users.get(1, { signal: controller.signal }), users.getMany([1], { signal: controller.signal }), users.get(1)]
      await entrance.arrived()
      controller.abort(new Error('left'))
      await t.rejects(leaving, { message: 'left' })
      await t.rejects(many, { message: 'left' })
      entrance.open('Ada')
      t.equal(await staying, 'Ada')
    })
  })
}

t.test('a load may ask for another id of the same getMany', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  interface Employee { id: number, boss: string }
  const employees = cache.resource('employee', {
    load: async (id: number): Promise<Employee> => ({ id, boss: id === 2 ? 'nobody' : `${(await employees.get(2)).id}` })
  })
  t.strictSame(await employees.getMany([1, 2, 3]), [{ id: 1, boss: '2' }, { id: 2, boss: 'nobody' }, { id: 3, boss: '2' }])
})

t.test('no two ids and no two resources share a key, whatever is in them', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const name = fc.string({ minLength: 1, maxLength: 6, unit: fc.constantFrom('a', '%', '3', '5', '2', ' ') })
  const id = fc.oneof(fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom('a', ':', '%', '3', '2', '5') }), fc.integer({ min: -3, max: 300 }))
  const resources = new Map<string, ReturnType<typeof make>>()
  const make = (name: string) => cache.resource(name, { load: (id: Id) => `${name}\n${id}` })
  await fc.assert(fc.asyncProperty(name, id, async (name, id) => {
    if (!resources.has(name)) resources.set(name, make(name))
    return await resources.get(name)!.get(id) === `${name}\n${id}`
  }), { numRuns: 2_000 })
})

t.test('an id with a colon or a percent sign is encoded, and 7 and "7" are the same', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const things = cache.resource('thing', { load: (id: Id) => `thing ${id}` })
  await things.getMany(['a:b', 'a%3ab', 7, -1.5])
  t.equal(await cache.get('thing:a%3ab'), 'thing a:b')
  t.equal(await cache.get('thing:a%253ab'), 'thing a%3ab')
  t.equal(await cache.get('thing:7'), 'thing 7')
  t.equal(await cache.get('thing:-1.5'), 'thing -1.5')
  t.equal(await things.get('7'), 'thing 7')
  t.equal(cache.stats().loads <= 4, true)
})

t.test('a key function of the resource\'s own stands below its name', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const users = cache.resource('user', { key: (id: string) => `mail:${id.toLowerCase()}`, load: (id) => id })
  await users.get('Ada@example.com')
  t.equal(await users.get('ADA@example.com'), 'Ada@example.com')
  t.equal(await cache.get('user:mail:ada@example.com'), 'Ada@example.com')
})

t.test('what is no id is refused by every method, before the source is asked', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  let asked = 0
  const users = cache.resource('user', { load: () => { asked++ }, save: () => { asked++ }, write: 'through' })
  for (const [bad, got] of [[undefined, 'undefined'], [null, 'null'], ['', '""'], [{}, 'an object'], [true, 'true']] as const) {
    const id = bad as unknown as number
    const calls: Array<() => Promise<unknown>> = [
      () => users.get(id), () => users.getMany([1, id]), () => users.set(id, undefined), () => users.delete(id), () => users.refresh(id)
    ]
    for (const call of calls) {
      await t.rejects(call, { code: 'FST_HEADROOM_CACHE_KEY', message: `cache: expected a non-empty string as the key, got ${got}` })
    }
  }
  t.equal(asked, 0)
})

t.test('ids that are no array are refused, with loadMany and without it, before the source is asked', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  let asked = 0
  const load = (): never => { asked++; throw new Error('must not be called') }
  for (const resource of [cache.resource('one', { load }), cache.resource('many', { load, loadMany: load })]) {
    for (const [bad, got] of [['x', '"x"'], [undefined, 'undefined'], [7, '7'], [new Set([1]), 'an instance of Set']] as const) {
      await t.rejects(resource.getMany(bad as unknown as number[]), { code: 'FST_HEADROOM_CACHE_OPTION', message: `cache: ids: expected an array, got ${got}` })
    }
  }
  t.equal(asked, 0)
})

t.test('what the caller does to its array of ids while they load changes nothing', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const users = cache.resource('user', { load: (id: number) => `user ${id}` })
  const ids = [1, 2]
  const call = users.getMany(ids)
  ids.push(3)
  t.strictSame(await call, ['user 1', 'user 2'])
})
