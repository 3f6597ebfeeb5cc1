import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { redisKeys } from '../../plugins/cache/keys.js'
import { ownRedis, useRedis } from '../helpers/redis.js'
import { altered, buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'

/** Milliseconds: longer than it takes to notice that another server answers, and to tell it. */
const WATCHED = 3_000

for (const [name, memory] of [['two tiers', undefined], ['Redis only', false]] as const) {
  t.test(`what a process deleted never comes back to it from a server that has not heard of that: ${name}`, async (t) => {
    const server = await ownRedis(t)
    const client = await connect(t, server.url, { retryStrategy: () => 20 })
    const { cache } = await buildApp(t, { redis: client, commandTimeout: '1s', ...memory === false && { memory } })
    if (memory === undefined) await trustsMemory({ cache })
    await eventually(async () => (await cache.set('deleted', 'old', { ttl: '1h' })).shared)
    // As a replica that lags behind: it has what is here now, and becomes the master.
    await (await connect(t, server.url)).call('SAVE')
    t.strictSame(await cache.delete('deleted'), { shared: true })
    await server.kill()
    await server.restart()
    const back = performance.now()
    const seen: number[] = []
    await eventually(async () => {
      const since = performance.now() - back
      if (await cache.get('deleted') === 'old') seen.push(since)
      return since > WATCHED
    })
    t.equal(seen.length, 0, `from ${Math.round(seen[0] ?? 0)} to ${Math.round(seen.at(-1) ?? 0)} ms after the server was there`)
  })
}

t.test('nor does it to a read that began before the connection ended, and that another server answered', async (t) => {
  const redis = await useRedis(t)
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  const name = redisKeys(prefix).value('deleted')
  let old: Buffer | null = null
  const { cache } = await buildApp(t, {
    prefix,
    redis: altered(client, {
      async mgetBuffer (...keys) {
        const values = await client.mgetBuffer(...keys)
        if (old === null || !keys.includes(name)) return values
        // Sent again on the next connection, which leads to one that lags behind.
        client.emit('close')
        return values.map((value, index) => keys[index] === name ? old : value)
      }
    })
  })
  await trustsMemory({ cache })
  await cache.set('deleted', 'old', { ttl: '1h' })
  const before = await client.getBuffer(name)
  await cache.delete('deleted')
  old = before
  t.equal(await cache.get('deleted'), undefined)
})
