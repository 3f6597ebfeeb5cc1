import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import t from 'tap'
import { isReady, isRedisClient } from '../../plugins/shared/redis-client.js'

t.test('clients and clusters of ioredis 5 and 6 are taken, and nothing else', async (t) => {
  const lazy = { lazyConnect: true }
  const clients = [new Redis(lazy), new Redis5(lazy), new Cluster([{}], lazy), new Cluster5([{}], lazy)]
  for (const client of clients) {
    t.ok(isRedisClient(client))
    t.ok(isReady(client), 'it connects with its first command')
    client.disconnect()
    t.notOk(isReady(client))
  }
  for (const other of [null, undefined, 'redis://x', 5, {}, { status: 'ready' }, { get () {} }, [], () => {}]) t.notOk(isRedisClient(other))
})
