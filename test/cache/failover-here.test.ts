import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { ownRedis } from '../helpers/redis.js'
import { buildApp, connect, trustsMemory } from './build-app.js'

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
