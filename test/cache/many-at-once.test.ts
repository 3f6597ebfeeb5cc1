import t from 'tap'
import { Messages } from '../../plugins/cache/messages.js'
import { ownRedis, useRedis } from '../helpers/redis.js'
import { buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'

/** Of many against few, four times as many: of what costs each as much as the one before it four times, of what costs more with each sixteen times. */
const MOST = 10

const key = (id: number): string => `id:${id}`

async function ratio (few: number, work: (ids: readonly number[]) => Promise<unknown>): Promise<number> {
  const took: number[] = []
  // Compiled, and the first garbage gone.
  for (const count of [few, few, 4 * few]) {
    // Of this process: what others do on the machine is not its matter.
    const began = process.cpuUsage()
    await work(Array.from({ length: count }, (_, id) => id))
    const { user, system } = process.cpuUsage(began)
    took.push(user + system)
  }
  return took[2]! / took[1]!
}

for (const [what, ttl] of [['kept', '1m'], ['not kept', 0]] as const) {
  t.test(`a bulk load of sixteen thousand ids, that are ${what}, costs each at most two and a half times what one of four thousand costs each`, async (t) => {
    const redis = await useRedis(t)
    const { cache } = await buildApp(t, { redis: await connect(t, redis.url), prefix: freshPrefix(redis.prefix) })
    await trustsMemory({ cache })
    const found = await ratio(4_000, async (ids) => {
      await cache.clear()
      await cache.getMany(ids, { key, load: (missing) => missing, ttl })
    })
    t.ok(found < MOST, `${found} times as long`)
  })
}

t.test('eight thousand deletes that Redis cannot be told of, and reads of what they were of, cost each at most two and a half times what two thousand cost each', async (t) => {
  const server = await ownRedis(t)
  const { cache } = await buildApp(t, { redis: await connect(t, server.url, { retryStrategy: () => 50 }) })
  await trustsMemory({ cache })
  await server.kill()
  const deletes = await ratio(2_000, (ids) => Promise.all(ids.map((id) => cache.delete(key(id)))))
  t.ok(deletes < MOST, `${deletes} times as long`)
  const reads = await ratio(2_000, (ids) => cache.getMany(ids, { key, load: (missing) => missing, ttl: 0 }))
  t.ok(reads < MOST, `${reads} times as long`)
})

t.test('however many messages could not be sent, the next one is short', async (t) => {
  const messages = new Messages()
  for (let n = 0; n < 10_000; n++) messages.ofKey('key').failed()
  t.ok(messages.ofKey('key').text.length < 2_000)
})
