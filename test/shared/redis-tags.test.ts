import { Cluster } from 'ioredis'
import t, { type Test } from 'tap'
import type { RedisClient } from '../../plugins/shared/redis-client.js'
import { ANY_TAG } from '../../plugins/shared/redis-tags.js'
import { connect } from '../cache/build-app.js'
import { useCluster, useRedis } from '../helpers/redis.js'
import { buildRedisTier, noticeOf } from './redis-tier.js'

const redis = await useRedis(t)
const cluster = await useCluster(t)

type Client = RedisClient & { set (key: string, value: string): Promise<unknown>, pttl (key: string): Promise<number> }

const topologies: Array<{ name: string, open: (t: Test) => Promise<Client> }> = [
  { name: 'stand-alone', open: async (t) => await connect(t, redis.url) },
  {
    name: 'Cluster',
    async open (t) {
      const client = new Cluster(cluster)
      t.teardown(() => client.disconnect())
      await new Promise((resolve) => client.once('ready', resolve))
      return client
    }
  }
]

for (const { name, open } of topologies) {
  t.test(name, async (t) => {
    const client = await open(t)
    const build = () => buildRedisTier({ client, base: redis.prefix })

    t.test('a generation stands until its tag is invalidated, and then there is none', async (t) => {
      const { tags } = build().tier
      t.strictSame(await tags.read(['a', 'b']), [undefined, undefined])
      const established = await tags.establish(['a', 'b', 'c'], 60_000)
      t.equal(new Set(established).size, 3)
      t.strictSame(await tags.read(['a', 'b', 'c']), established)
      t.strictSame(await tags.establish(['c', 'a'], 60_000), [established[2], established[0]], 'whoever asks gets the one that stands')
      await tags.invalidate(['a', 'c'], () => noticeOf('message'))
      t.strictSame(await tags.read(['a', 'b', 'c']), [undefined, established[1], undefined])
      t.notSame(await tags.establish(['a'], 60_000), [established[0]], 'and no generation comes again')
    })

    t.test('to invalidate any tag changes that of any', async (t) => {
      const { tags } = build().tier
      const [any] = await tags.establish([ANY_TAG], 60_000)
      await tags.establish(['a'], 60_000)
      t.strictSame(await tags.read([ANY_TAG]), [any])
      await tags.invalidate(['a'], () => noticeOf('message'))
      t.strictSame(await tags.read([ANY_TAG]), [undefined])
    })

    t.test('a generation in use lives on', async (t) => {
      const { tier: { tags }, tagKeyOf } = build()
      const [generation] = await tags.establish(['a'], 10_000)
      t.strictSame(await tags.establish(['a'], 15_000), [generation])
      t.ok(await client.pttl(tagKeyOf('a')) <= 10_000, 'half of its time is left')
      t.strictSame(await tags.establish(['a'], 100_000), [generation])
      t.ok(await client.pttl(tagKeyOf('a')) > 90_000)
    })

    t.test('what is not a generation of ours is none', async (t) => {
      const { tier: { tags }, tagKeyOf } = build()
      for (const foreign of ['', 'x', 'a text of another length']) {
        await client.set(tagKeyOf('a'), foreign)
        t.strictSame(await tags.read(['a']), [undefined])
      }
    })
  })
}
