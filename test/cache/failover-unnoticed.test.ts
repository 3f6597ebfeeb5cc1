import { Cluster, Redis } from 'ioredis'
import t from 'tap'
import { redisKeys } from '../../plugins/cache/keys.js'
import { eventually } from '../helpers/eventually.js'
import { ownCluster } from '../helpers/redis.js'
import { buildApp, freshPrefix, ready } from './build-app.js'

/** Milliseconds: longer than it takes to notice that another node answers, and to tell it. */
const WATCHED = 1_500

const outdates = {
  'a deleted key': { nameOf: (prefix: string) => redisKeys(prefix).value('key'), outdate: 'delete' },
  'an invalidated tag': { nameOf: (prefix: string) => redisKeys(prefix).tag('tag'), outdate: 'invalidateTags' }
} as const

t.test('what a process outdated never comes back to it from a node that took over while no connection began or ended', async (t) => {
  const cluster = await ownCluster(t, { persist: false })
  for (const [title, { nameOf, outdate }] of Object.entries(outdates)) {
    await t.test(title, async (t) => {
      const client = await ready(t, new Cluster(cluster.startupNodes))
      // A replica is named once it has heard something of its master.
      await Promise.all(['a', 'b', 'c'].map((key) => client.set(`{${key}}`, 'heard')))
      await eventually(async () => {
        await new Promise((resolve) => { client.refreshSlotsCache(resolve) })
        return client.nodes('slave').length === 3
      })
      const prefix = freshPrefix('unnoticed')
      const { cache } = await buildApp(t, { redis: client, memory: false, prefix })
      await eventually(async () => (await cache.set('key', 'old', { ttl: '1h', tags: ['tag'] })).shared)
      const name = nameOf(prefix)
      const old = await client.getBuffer(name)
      t.strictSame(await cache[outdate](outdate === 'delete' ? 'key' : 'tag'), { shared: true })
      const master = await cluster.masterOf(name)
      const [promoted, demoted] = [await ready(t, new Redis((await cluster.replicaOf(master)).url)), await ready(t, new Redis(master.url))]

      // Within one millisecond, and with what it had before: as one that lagged behind.
      await promoted.pipeline().call('CLUSTER', 'FAILOVER', 'TAKEOVER').set(name, old!).exec()
      // By itself it learns that from whatever node it next hears of.
      await eventually(async () => (await demoted.info('replication')).includes('role:slave'), 15_000)

      const since = performance.now()
      let times = 0
      await eventually(async () => {
        if (await cache.get('key') === 'old') times++
        return performance.now() - since > WATCHED
      })
      t.equal(times, 0)
    })
  }
})
