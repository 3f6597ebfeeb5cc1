import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { ownRedis } from '../../helpers/redis.js'
import { spans } from '../../helpers/soak.js'
import { runOutage } from './run-outage.js'

t.test('two hundred clients go on while Redis hangs, and nothing outdated outlives that by a second', async (t) => {
  const server = await ownRedis(t)
  const connection = { kind: 'server', url: server.url } as const
  await runOutage(t, {
    connections: [connection, connection],
    isComplete: true,
    async strike () {
      await server.pause()
      await delay(spans.fault)
      await server.resume()
    }
  })
})
