import type { Keyv, KeyvCacheableMemory } from 'cacheable'
import type { MicroEntry, Operation } from '../entry.js'
import { HOUR, KEYS, turningKeys, USER } from '../users.js'

/** `look` is given a key whose value is there, and asks its library as its documentation does; `fill` puts the value there. */
async function hits (look: (key: string) => unknown, fill: (key: string) => unknown = look): Promise<Operation> {
  for (const key of KEYS) await fill(key)
  const nextKey = turningKeys()
  return () => look(nextKey())
}

const load = async (): Promise<typeof USER> => structuredClone(USER)

const entry: MicroEntry = {
  kind: 'micro',
  title: `getOrSet, awaited, of ${KEYS.length} users of ${Math.round(JSON.stringify(USER).length / 100) / 10} KB that are in memory for an hour`,
  baseline: 'lru-cache awaited',
  variants: {
    // Not a cache to await, but the floor: a map that forgets, and one turn of the microtask queue.
    'lru-cache awaited': async () => {
      const { LRUCache } = await import('lru-cache')
      const cache = new LRUCache<string, object>({ max: 5_000 })
      return await hits((key) => cache.get(key), (key) => cache.set(key, structuredClone(USER)))
    },
    'lru-cache with a ttl, awaited': async () => {
      const { LRUCache } = await import('lru-cache')
      const cache = new LRUCache<string, object>({ max: 5_000, ttl: HOUR })
      return await hits((key) => cache.get(key), (key) => cache.set(key, structuredClone(USER)))
    },
    headroom: async () => {
      const { default: Fastify } = await import('fastify')
      const { default: cache } = await import('fastify-headroom/cache')
      const app = Fastify()
      await app.register(cache)
      return await hits((key) => app.cache.getOrSet(key, load, { ttl: '1h' }))
    },
    'async-cache-dedupe': async () => {
      const { createCache } = await import('async-cache-dedupe')
      const cache = createCache({ ttl: HOUR / 1_000, storage: { type: 'memory', options: { size: 5_000 } } }).define('user', async (_key: string) => await load())
      return await hits((key) => cache.user(key))
    },
    bentocache: async () => await bentocache(true),
    // Its fastest: all callers share one object, and may change it.
    'bentocache unserialised': async () => await bentocache(false),
    cacheable: async () => {
      const { Cacheable } = await import('cacheable')
      const cache = new Cacheable({ ttl: HOUR })
      return await hits((key) => cache.getOrSet(key, load))
    },
    'cacheable uncloned': async () => {
      const { Cacheable } = await import('cacheable')
      const cache = new Cacheable({ ttl: HOUR })
      // Not by the option `primary`: where npm installs Keyv twice, it does not take its own kind of Keyv for one.
      const { store } = cache.primary.store as KeyvCacheableMemory
      store.useClone = false
      return await hits((key) => cache.getOrSet(key, load))
    },
    'cache-manager': async () => {
      const { createCache } = await import('cache-manager')
      const cache = createCache({ ttl: HOUR })
      return await hits((key) => cache.wrap(key, load))
    },
    'cache-manager uncloned': async () => {
      const { createCache } = await import('cache-manager')
      const cache = createCache({ ttl: HOUR, stores: [await sharingKeyv()] })
      return await hits((key) => cache.wrap(key, load))
    }
  },
  expectations: [
    { variant: 'headroom', of: 'lru-cache awaited', atLeast: 0.4 },
    {
      variant: 'headroom',
      of: ['async-cache-dedupe', 'bentocache', 'bentocache unserialised', 'cacheable', 'cacheable uncloned', 'cache-manager', 'cache-manager uncloned'],
      atLeast: 5
    }
  ]
}

/** Keyv's fastest, as cache-manager's documentation says: nothing cloned, nothing serialised. */
async function sharingKeyv (): Promise<Keyv> {
  const { Keyv, KeyvCacheableMemory } = await import('cacheable')
  const keyv = new Keyv({ store: new KeyvCacheableMemory({ useClone: false }) })
  keyv.serialize = undefined
  keyv.deserialize = undefined
  return keyv
}

async function bentocache (serialize: boolean): Promise<Operation> {
  const { BentoCache, bentostore } = await import('bentocache')
  const { memoryDriver } = await import('bentocache/drivers/memory')
  const cache = new BentoCache({
    default: 'memory',
    stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: 5_000, serialize })) }
  })
  return await hits((key) => cache.getOrSet({ key, factory: load, ttl: '1h' }))
}

export default entry
