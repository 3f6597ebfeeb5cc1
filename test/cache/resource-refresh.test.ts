import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { gate, type Gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { freshPrefix } from './build-app.js'
import { stores } from './stores.js'

const redis = await useRedis(t)

/** A loader whose every call waits at a gate of its own. */
function gated () {
  const gates: Array<Gate<string>> = []
  let next = 0
  const gateOf = (call: number) => {
    gates[call] ??= gate<string>()
    return gates[call]
  }
  return { gateOf, load: (_id: number) => gateOf(next++).pass(), get calls () { return next } }
}

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    t.test('refresh loads now, though a fresh value is kept, and keeps what it loaded', async (t) => {
      const { cache } = await store.build(t)
      let version = 1
      const users = cache.resource('user', { load: (id: number) => `${id} v${version}` })
      t.equal(await users.get(1), '1 v1')
      version = 2
      t.equal(await users.get(1), '1 v1')
      t.equal(await users.refresh(1), '1 v2')
      version = 3
      t.equal(await users.get(1), '1 v2')
      t.equal(await users.refresh(2), '2 v3', 'of an id that was never asked for too')
    })

    t.test('the old value is given out while a refresh loads, and kept when it fails', async (t) => {
      const { cache } = await store.build(t)
      const { gateOf, load } = gated()
      const users = cache.resource('user', { load })
      gateOf(0).open('v1')
      await users.get(1)
      const refreshed = users.refresh(1)
      await gateOf(1).arrived()
      t.equal(await users.get(1), 'v1')
      gateOf(1).fail(new Error('database away'))
      await t.rejects(refreshed, { message: 'database away' })
      t.equal(await users.get(1), 'v1')
    })

    t.test('a refresh gives nothing stale, and nothing that was loaded before it was asked for', async (t) => {
      const { cache, clock } = await store.build(t)
      const { gateOf, load } = gated()
      const users = cache.resource('user', { load, ttl: '1s', stale: '1h', staleOnError: '1h' })
      gateOf(0).open('v1')
      await users.get(1)
      clock.milliseconds += 1_000
      t.equal(await users.get(1), 'v1')
      await gateOf(1).arrived()
      const refreshed = users.refresh(1)
      await gateOf(2).arrived()
      gateOf(1).open('v2')
      gateOf(2).open('v3')
      t.equal(await refreshed, 'v3')
    })

    t.test('who waits for a load that began before a refresh is given the stale value when that load fails, as if there were no refresh', async (t) => {
      const { cache, clock } = await store.build(t)
      const { gateOf, load } = gated()
      const users = cache.resource('user', { load, ttl: '1s', staleOnError: '1h' })
      gateOf(0).open('stale')
      await users.get(1)
      clock.milliseconds += 2_000
      const asked = users.get(1)
      await gateOf(1).arrived()
      const refreshed = users.refresh(1)
      await gateOf(2).arrived()
      gateOf(1).fail(new Error('database away'))
      t.equal(await asked, 'stale')
      gateOf(2).fail(new Error('still away'))
      await t.rejects(refreshed, { message: 'still away' })
      t.equal(await users.get(1), 'stale')
    })

    t.test('a load that began before a refresh does not outlive what the refresh brought', async (t) => {
      for (const first of ['the refresh', 'the older load'] as const) {
        const { cache } = await store.build(t)
        const { gateOf, load } = gated()
        const users = cache.resource('user', { load })
        const older = users.get(1)
        await gateOf(0).arrived()
        const refreshed = users.refresh(1)
        await gateOf(1).arrived()
        const ends: Array<() => Promise<unknown>> = [() => { gateOf(0).open('old'); return older }, () => { gateOf(1).open('new'); return refreshed }]
        if (first === 'the refresh') ends.reverse()
        for (const end of ends) await end()
        t.equal(await refreshed, 'new')
        gateOf(2).open('new')
        t.equal(await users.get(1), 'new', `${first} ends first`)
      }
    })

    t.test('of concurrent refreshes each loads after it was asked for, and the last one asked for is what is kept', async (t) => {
      for (const order of [[0, 1], [1, 0]] as const) {
        const { cache } = await store.build(t)
        const { gateOf, load } = gated()
        const users = cache.resource('user', { load })
        const first = users.refresh(1)
        await gateOf(0).arrived()
        const second = users.refresh(1)
        await gateOf(1).arrived()
        const calls = [first, second]
        for (const index of order) {
          gateOf(index).open(`v${index}`)
          await calls[index]
        }
        t.equal(await second, 'v1')
        gateOf(2).open('v1')
        t.equal(await users.get(1), 'v1', `when they end in the order ${order.join()}`)
      }
    })

    t.test('who asks for an id that nothing is kept of while it is refreshed shares that load', async (t) => {
      const { cache } = await store.build(t)
      const { gateOf, load } = gated()
      const users = cache.resource('user', { load })
      const refreshed = users.refresh(1)
      await gateOf(0).arrived()
      const asked = users.get(1)
      gateOf(0).open('v1')
      t.strictSame(await Promise.all([refreshed, asked]), ['v1', 'v1'])
    })

    const notKept: Array<[title: string, value: unknown, options: object]> = [
      ['finds that there is none', undefined, {}],
      ['brings what is too large to keep', 'x'.repeat(2_000), { maxBytes: 1_000 }],
      ['brings what cannot be kept', { toJSON () { return 1 } }, {}]
    ]
    for (const [title, value, options] of notKept) {
      t.test(`a refresh that ${title} leaves nothing older behind`, async (t) => {
        const { cache } = await store.build(t)
        let now: unknown = 'old'
        const users = cache.resource('user', { ...options, load: (_id: number) => now })
        await users.get(1)
        now = value
        t.equal(await users.refresh(1), value)
        t.equal(await cache.has('user:1'), false)
        t.equal(await users.get(1), value)
      })
    }

    t.test('a delete while a refresh loads keeps its value out', async (t) => {
      const { cache } = await store.build(t)
      const { gateOf, load } = gated()
      const users = cache.resource('user', { load })
      const refreshed = users.refresh(1)
      await gateOf(0).arrived()
      await users.delete(1)
      gateOf(0).open('old')
      t.equal(await refreshed, 'old')
      t.equal(await cache.has('user:1'), false)
    })

    if (!store.redis) return

    t.test('what a refresh has brought another process has too, out of Redis, though the old value is fresh in its memory', async (t) => {
      const prefix = freshPrefix(redis.prefix)
      const [here, there] = [await store.build(t, { prefix }), await store.build(t, { prefix })]
      let [source, loads] = ['old', 0]
      const load = (_id: number) => { loads++; return source }
      const [users, others] = [here, there].map(({ cache }) => cache.resource('user', { load, ttl: '1h' }))
      t.strictSame([await users!.get(1), await others!.get(1)], ['old', 'old'])
      source = 'new'
      t.equal(await users!.refresh(1), 'new')
      await t.resolves(eventually(async () => await others!.get(1) === 'new', 1_000))
      t.equal(loads, 2)
    })

    t.test('after a refresh here nothing older comes from Redis, whatever another process loads meanwhile', async (t) => {
      const prefix = freshPrefix(redis.prefix)
      const [here, there] = [await store.build(t, { prefix }), await store.build(t, { prefix })]
      const [mine, theirs] = [gated(), gated()]
      const [users, others] = [here.cache.resource('user', { load: mine.load }), there.cache.resource('user', { load: theirs.load })]
      const older = others.get(1)
      await theirs.gateOf(0).arrived()
      const refreshed = users.refresh(1)
      await mine.gateOf(0).arrived()
      theirs.gateOf(0).open('old')
      await older
      mine.gateOf(0).open('new')
      t.equal(await refreshed, 'new')
      mine.gateOf(1).open('new')
      t.equal(await users.get(1), 'new')
    })
  })
}
