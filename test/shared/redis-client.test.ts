import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import t from 'tap'
import { isReady, isRedisClient, RedisScript, type RedisClient } from '../../plugins/shared/redis-client.js'
import { connect, connect5 } from '../cache/build-app.js'
import { useRedis } from '../helpers/redis.js'

t.test('clients and clusters of ioredis 5 and 6 are taken, and nothing else', async (t) => {
  const lazy = { lazyConnect: true }
  const clients = [new Redis(lazy), new Redis5(lazy), new Cluster([{}], lazy), new Cluster5([{}], lazy)]
  for (const client of clients) {
    t.ok(isRedisClient(client))
    t.notOk(isReady(client))
    client.disconnect()
  }
  for (const other of [null, undefined, 'redis://x', 5, {}, { status: 'ready' }, { get () {} }, [], () => {}]) t.notOk(isRedisClient(other))
})

const { url, prefix } = await useRedis(t)

for (const [name, open] of [['ioredis 6', connect], ['ioredis 5', connect5]] as const) {
  t.test(`${name}: a script is sent in full once, and by its digest from then on`, async (t) => {
    const client = await open(t, url)
    const sent: string[] = []
    const spy: RedisClient = {
      status: 'ready',
      getBuffer: (key) => client.getBuffer(key),
      eval: (...args) => { sent.push('eval'); return client.eval(...args) },
      evalsha: (...args) => { sent.push('evalsha'); return client.evalsha(...args) },
      duplicate: () => client.duplicate(),
      time: () => client.time()
    }
    const script = new RedisScript(`return KEYS[1] .. ARGV[1] -- ${prefix}${name}`)
    t.equal(await script.run(spy, [`${prefix}k`], ['v']), `${prefix}kv`)
    t.equal(await script.run(spy, [`${prefix}k`], [Buffer.from('w')]), `${prefix}kw`)
    t.strictSame(sent, ['evalsha', 'eval', 'evalsha'])
  })

  t.test(`${name}: an error of the script itself is passed on, and the script not run twice`, async (t) => {
    const client = await open(t, url)
    const key = `${prefix}count`
    await client.del(key)
    const script = new RedisScript('redis.call(\'INCR\', KEYS[1]) return redis.error_reply(\'OWN error\')')
    await t.rejects(script.run(client, [key], []), { message: /OWN error/ })
    t.equal(await client.get(key), '1')
  })
}
