import t from 'tap'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stayAwake } from './awake.js'
import { stores } from './stores.js'

stayAwake(t)

const stale = { ttl: '10s', stale: '1m', staleOnError: '1m' }

for (const store of stores(await useRedis(t))) {
  t.test(store.name, async (t) => {
    t.test('a refresh loads anew whatever is kept, and who asks meanwhile has the fresh value or waits for the new one', async (t) => {
      const { cache } = await store.build(t)
      const held = gate<string>()
      const users = cache.resource('users', { load: held.pass })
      await cache.set('users:1', 'old')
      const refreshed = users.refresh(1)
      await held.arrived()
      t.equal(await users.get(1), 'old')
      const joined = users.get(2)
      await held.arrived(2)
      const second = users.refresh(2)
      await held.arrived(3)
      const third = users.get(2)
      held.open('new')
      t.strictSame(await Promise.all([refreshed, joined, second, third]), ['new', 'new', 'new', 'new'])
      t.equal(await users.get(1), 'new')
      t.equal(held.arrivals, 3)
    })

    t.test('a load that began before a refresh never replaces what that brought', async (t) => {
      const { cache } = await store.build(t)
      const held = gate<string>()
      const users = cache.resource('users', { load: held.pass })
      const older = users.get(1)
      await held.arrived()
      const refreshed = users.refresh(1)
      await held.arrived(2)
      held.letOne('older')
      t.equal(await older, 'older')
      held.letOne('newer')
      t.equal(await refreshed, 'newer')
      t.equal(await users.get(1), 'newer')
    })

    t.test('a load that ends after the refresh that overtook it does not bring the older value back', async (t) => {
      const { cache } = await store.build(t)
      const [older, newer] = [gate<string>(), gate<string>()]
      const loads = [older.pass, newer.pass]
      const users = cache.resource('users', { load: () => loads.shift()!() })
      const caller = users.get(1)
      await older.arrived()
      const refreshed = users.refresh(1)
      newer.open('newer')
      t.equal(await refreshed, 'newer')
      older.open('older')
      t.equal(await caller, 'older')
      t.not(await cache.get('users:1'), 'older')
    })

    t.test('a refresh that fails rejects, stale value or not, and leaves what is kept', async (t) => {
      const { cache, clock } = await store.build(t)
      const users = cache.resource('users', { load: () => { throw new Error('away') }, ...stale })
      await cache.set('users:1', 'old', stale)
      await t.rejects(users.refresh(1), { message: 'away' })
      t.equal(await cache.get('users:1'), 'old')
      clock.milliseconds += 10_001
      await t.rejects(users.refresh(1), { message: 'away' })
      t.equal(await users.get(1), 'old')
    })
  })
}
