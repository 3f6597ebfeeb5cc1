import t from 'tap'
import { useRedis } from '../helpers/redis.js'
import { tryInterleavings } from './interleavings.js'
import { stores } from './stores.js'

const redis = await useRedis(t)

for (const [index, store] of stores(redis).filter(({ name }) => /Sentinel|Cluster, ioredis 6/.test(name)).entries()) {
  t.test(store.name, (t) => tryInterleavings(t, store, redis.prefix, index))
}
