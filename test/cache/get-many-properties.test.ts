import fc from 'fast-check'
import t from 'tap'
import type { Id } from '../../plugins/cache/index.js'
import { useRedis } from '../helpers/redis.js'
import { stores } from './stores.js'

const redis = await useRedis(t)

/** Few ids, so that they repeat, as numbers and as strings. */
const ids = fc.array(fc.tuple(fc.nat(12), fc.boolean()).map(([id, asText]): Id => asText ? String(id) : id), { maxLength: 30 })
const some = fc.uniqueArray(fc.nat(12))

const cases = fc.record({ ids, kept: some, missing: some, failing: some, asMap: fc.boolean(), settle: fc.boolean() })

for (const store of stores(redis)) {
  t.test(`${store.name}: whatever is asked for, kept, missing or failing, each place has what belongs to its id`, async (t) => {
    const { cache } = await store.build(t)
    let round = 0
    await fc.assert(fc.asyncProperty(cases, async ({ ids, kept, missing, failing, asMap, settle }) => {
      const key = (id: Id) => `${round}:${id}`
      round++
      await Promise.all(kept.map((id) => cache.set(key(id), `kept ${id}`)))
      const asked: Id[][] = []
      const found = (id: Id) => failing.includes(Number(id)) ? new Error(`failed ${id}`) : missing.includes(Number(id)) ? undefined : `loaded ${id}`
      const options = {
        key,
        load: (ids: Id[]) => {
          asked.push([...ids])
          return asMap ? new Map(ids.filter((id) => found(id) !== undefined).map((id) => [String(id), found(id)])) : ids.map(found)
        }
      }

      const isKept = (id: Id) => kept.includes(Number(id))
      const firstOf = new Map<string, Id>()
      for (const id of ids) if (!isKept(id) && !firstOf.has(String(id))) firstOf.set(String(id), id)
      const expected = ids.map((id) => isKept(id) ? `kept ${id}` : found(firstOf.get(String(id))!))
      const told = (value: unknown) => value instanceof Error ? `error: ${value.message}` : value

      const actual = settle
        ? (await cache.getMany(ids, { ...options, settle })).map((result) => result.status === 'fulfilled' ? result.value : result.reason as Error)
        : await cache.getMany(ids, options).catch((error: unknown) => error)
      t.strictSame(asked, firstOf.size === 0 ? [] : [[...firstOf.values()]])
      if (settle || !expected.some((value) => value instanceof Error)) t.strictSame((actual as unknown[]).map(told), expected.map(told))
      else t.ok(actual instanceof Error)
      for (const [text, id] of firstOf) {
        const value = found(id)
        t.equal(await cache.get(key(text)), value instanceof Error ? undefined : value, 'only what was found is kept')
      }
    }), { numRuns: 60 })
  })
}
