import t from 'tap'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stores } from './stores.js'

for (const store of stores(await useRedis(t)).filter(({ name }) => !name.includes('ioredis 5'))) {
  t.test(store.name, async (t) => {
    t.test('invalidating a tag voids every value that has it, however it was named, and no other', async (t) => {
      const { cache } = await store.build(t)
      await cache.getOrSet('by options', () => 1, { tags: ['news'] })
      await cache.getOrSet('by the loader', ({ tags }) => { tags('news'); return 1 })
      await cache.getOrSet('by both', ({ tags }) => { tags('home', 'news'); return 1 }, { tags: ['home'] })
      await cache.set('by set', 1, { tags: ['home', 'news'] })
      await cache.getMany([1, 2], { key: (id) => `of many ${id}`, load: (ids) => ids, tags: ['news'] })
      await cache.set('other tag', 1, { tags: ['home'] })
      await cache.set('no tag', 1)
      const keys = ['by options', 'by the loader', 'by both', 'by set', 'of many 1', 'of many 2', 'other tag', 'no tag']
      const kept = async (): Promise<string[]> => {
        const has = await Promise.all(keys.map((key) => cache.has(key)))
        return keys.filter((_key, index) => has[index])
      }
      t.strictSame(await kept(), keys)
      t.strictSame(await cache.invalidateTags('news'), { shared: store.redis })
      t.strictSame(await kept(), ['other tag', 'no tag'])
    })

    t.test('each of a value\'s tags voids it, several at once too', async (t) => {
      const { cache } = await store.build(t)
      for (const invalidated of [['a'], ['b'], ['c'], ['a', 'c'], ['unused', 'b']]) {
        await cache.getOrSet('key', ({ tags }) => { tags('b', 'c', 'c'); return 1 }, { tags: ['a', 'b'] })
        t.equal(await cache.has('key'), true)
        await cache.invalidateTags(...invalidated)
        t.equal(await cache.has('key'), false, invalidated.join())
      }
    })

    t.test('a tag is good for new values at once after it was invalidated, as often as that happens', async (t) => {
      const { cache } = await store.build(t)
      for (let round = 0; round < 20; round++) {
        t.equal(await cache.getOrSet('key', () => round, { tags: ['news'] }), round)
        t.equal(await cache.getOrSet('key', () => 'again', { tags: ['news'] }), round)
        await cache.invalidateTags('news')
      }
      t.equal(cache.stats().loads, 20)
    })

    t.test('invalidating no tag, or one that nothing has, voids nothing', async (t) => {
      const { cache } = await store.build(t)
      await cache.set('key', 1, { tags: ['news'] })
      await cache.invalidateTags()
      await cache.invalidateTags('other')
      t.equal(await cache.get('key'), 1)
    })

    t.test('a stale value whose tag was invalidated is given out to nobody, not when its load fails either', async (t) => {
      const { cache, clock } = await store.build(t)
      const options = { tags: ['news'], ttl: '1m', stale: '1h', staleOnError: '1h' } as const
      await cache.getOrSet('key', () => 'old', options)
      clock.milliseconds += 61_000
      await cache.invalidateTags('news')
      await t.rejects(cache.getOrSet('key', ({ stale }) => { throw new Error(`stale: ${String(stale)}`) }, options), { message: 'stale: undefined' })
      t.equal(await cache.getOrSet('key', () => 'new', options), 'new')
    })

    t.test('a value set with a tag after the tag was invalidated is kept, though loads from before are still under way', async (t) => {
      const { cache } = await store.build(t)
      const load = gate<string>()
      const caller = cache.getOrSet('loaded', load.pass, { tags: ['news'] })
      await load.arrived()
      await cache.invalidateTags('news')
      await cache.set('set', 'new', { tags: ['news'] })
      load.open('old')
      t.equal(await caller, 'old')
      t.equal(await cache.get('set'), 'new')
      t.equal(await cache.get('loaded'), undefined)
    })

    for (const [order, first, last] of [['before', 'old', 'new'], ['after', 'new', 'old']] as const) {
      t.test(`a load from before an invalidation, ending ${order} the one that began after it, takes nothing of that with it`, async (t) => {
        const { cache } = await store.build(t)
        const loads = { old: gate<string>(), new: gate<string>() }
        const callers: Record<string, Promise<string>> = {}
        callers.old = cache.getOrSet('key', loads.old.pass, { tags: ['news'] })
        await loads.old.arrived()
        await cache.invalidateTags('news')
        callers.new = cache.getOrSet('key', loads.new.pass, { tags: ['news'] })
        await loads.new.arrived()
        for (const which of [first, last]) {
          loads[which].open(which)
          t.equal(await callers[which], which)
        }
        t.equal(await cache.get('key'), 'new')
      })
    }

    t.test('tags of whatever characters are told apart', async (t) => {
      const { cache } = await store.build(t)
      const hostile = [
        'x', '{x}', '%7bx%7d', '%257bx%257d', '{', '}', '*', '?', '[a-z]', '\\', '\\*', '"', '\'', '#', '#x', '%', '%00', ':', 'cache-tag:x', ' ', ' x', 'x ',
        'any', 'everything', '%00everything', '%00any', '__proto__', 'constructor', 'toString', '0', '-1', '\x7f', '\u0085', '\u2028', '\ufffd', '\ufeff', '\u00fc', 'u\u0308', '😀', '😁',
        'l'.repeat(1_024), `${'l'.repeat(1_023)}m`, '😀'.repeat(256), `${'😀'.repeat(255)}😁`
      ]
      for (const tag of hostile) await cache.getOrSet(`of ${tag}`, () => tag, { tags: [tag] })
      for (const [index, tag] of hostile.entries()) {
        await cache.invalidateTags(tag)
        const left = await Promise.all(hostile.map((other) => cache.has(`of ${other}`)))
        t.strictSame(left, hostile.map((_other, place) => place > index), encodeURIComponent(tag).slice(0, 20))
      }
    })

    t.test('what cannot be a tag is refused wherever it is named, and nothing is done', async (t) => {
      const { cache } = await store.build(t)
      await cache.set('key', 1, { tags: ['good'] })
      const refused = ['', '\ud800', 'x\udc00', '\0', '\0everything', '\n', 'a\x1fb', 'x'.repeat(1_025), '😀'.repeat(257), 5, null, undefined, Symbol('tag'), {}, ['x']]
      for (const bad of refused as string[]) {
        const error = { code: 'FST_HEADROOM_CACHE_TAG' }
        await t.rejects(cache.invalidateTags('good', bad), error)
        await t.rejects(cache.set('key', 2, { tags: ['good', bad] }), error)
        await t.rejects(cache.getOrSet('other', () => t.fail('must not be loaded'), { tags: [bad] }), error)
        await t.rejects(cache.getMany([1], { key: String, load: () => t.fail('must not be loaded'), tags: [bad] } as never), error)
        await t.rejects(cache.getOrSet('other', ({ tags }) => tags('good', bad)), error)
      }
      t.equal(await cache.get('key'), 1)
      t.equal(await cache.has('other'), false)
    })
  })
}
