import t from 'tap'
import { RedisCommands } from '../../plugins/shared/redis-commands.js'
import { RedisTier } from '../../plugins/shared/redis-tier.js'
import { connect, freshPrefix } from '../cache/build-app.js'
import { useRedis } from '../helpers/redis.js'

const redis = await useRedis(t)
const future = Date.now() + 3_600_000

async function tier (t: Parameters<typeof connect>[0], { memoryOfDeletes = 60_000 } = {}) {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  const keyOf = (key: string) => `${prefix}${key}`
  const commands = new RedisCommands({ client, timeout: 10_000 })
  return { client, keyOf, tier: new RedisTier({ commands, keyOf, channel: `${prefix}channel`, memoryOfDeletes }) }
}

t.test('what is not there, is there, or was deleted is told apart', async (t) => {
  const { tier: store } = await tier(t)
  t.equal((await store.read('a')).kind, 'absent')
  await store.write('a', Buffer.from('bytes'), { ttl: 1_000, expiresAt: future }, 'message')
  t.match(await store.read('a'), { kind: 'value', bytes: Buffer.from('bytes'), expiresAt: future })
  await store.delete('a', 'message')
  t.equal((await store.read('a')).kind, 'tombstone')
})

t.test('a conditional write happens only on the state that was read', async (t) => {
  const { tier: store } = await tier(t)
  const absent = (await store.read('a')).stamp
  t.equal(await store.writeIfUnchanged('a', absent, Buffer.from('1'), { ttl: 1_000, expiresAt: future }), true)
  t.equal(await store.writeIfUnchanged('a', absent, Buffer.from('2'), { ttl: 1_000, expiresAt: future }), false)
  const first = (await store.read('a')).stamp
  await store.write('a', Buffer.from('1'), { ttl: 1_000, expiresAt: future }, 'm')
  t.equal(await store.writeIfUnchanged('a', first, Buffer.from('3'), { ttl: 1_000, expiresAt: future }), false, 'the same value written again is another state')
  const second = (await store.read('a')).stamp
  t.equal(await store.writeIfUnchanged('a', second, Buffer.from('4'), { ttl: 1_000, expiresAt: future }), true)
  await store.delete('a', 'm')
  const deleted = (await store.read('a')).stamp
  await store.delete('a', 'm')
  t.equal(await store.writeIfUnchanged('a', deleted, Buffer.from('5'), { ttl: 1_000, expiresAt: future }), false, 'and so is a second delete')
})

t.test('whatever is written outlives the longest load, so that no stamp comes true again', async (t) => {
  const { tier: store, client, keyOf } = await tier(t, { memoryOfDeletes: 60_000 })
  const remaining = async (key: string) => await client.pttl(keyOf(key))
  await store.write('short', Buffer.from('x'), { ttl: 10, expiresAt: future }, 'm')
  await store.writeIfUnchanged('conditional', Buffer.alloc(0), Buffer.from('x'), { ttl: 10.5, expiresAt: future })
  await store.delete('deleted', 'm')
  for (const key of ['short', 'conditional', 'deleted']) {
    const left = await remaining(key)
    t.ok(left > 50_000 && left <= 70_000, key)
  }
  await store.write('long', Buffer.from('x'), { ttl: 3_600_000, expiresAt: future }, 'm')
  t.ok(await remaining('long') > 3_500_000)
})

t.test('a write and a delete are published, a conditional write is not', async (t) => {
  const { tier: store, client, keyOf } = await tier(t)
  const subscriber = client.duplicate()
  t.teardown(() => subscriber.disconnect())
  const messages: string[] = []
  const last = new Promise<void>((resolve) => {
    subscriber.on('message', (_channel: string, message: string) => {
      messages.push(message)
      if (message === 'deleted') resolve()
    })
  })
  await subscriber.subscribe(keyOf('channel'))
  await store.write('a', Buffer.from('x'), { ttl: 1_000, expiresAt: future }, 'written')
  await store.writeIfUnchanged('a', (await store.read('a')).stamp, Buffer.from('y'), { ttl: 1_000, expiresAt: future })
  await store.delete('a', 'deleted')
  await last
  t.strictSame(messages, ['written', 'deleted'])
})
