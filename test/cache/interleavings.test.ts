import t from 'tap'
import { useRedis } from '../helpers/redis.js'
import { tryInterleavings } from './interleavings.js'
import { stores } from './stores.js'

const redis = await useRedis(t)

// Beside interleavings-topologies.test.ts, which has numbers 0 and 1.
for (const [index, store] of stores(redis).filter(({ name }) => !/ioredis 5|@fastify|Sentinel|Cluster/.test(name)).entries()) {
  t.test(store.name, (t) => tryInterleavings(t, store, redis.prefix, 1 + index))
}
