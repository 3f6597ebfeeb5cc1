import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { ownRedis } from '../../helpers/redis.js'
import { spans } from '../../helpers/soak.js'
import { startClients } from './clients.js'
import { runOutage } from './run-outage.js'

t.test('two hundred clients go on, and nothing outdated outlives the outage by a second', async (t) => {
  // What the system has been given outlives a crash; to have the disk, too, for each of hundreds of writes a second takes too long.
  const server = await ownRedis(t, { persist: true, args: ['--appendfsync', 'no'] })
  const connection = { kind: 'server', url: server.url } as const
  const clients = await startClients(t, [connection, connection])

  await t.test('while Redis hangs', async (t) => {
    await runOutage(t, clients, {
      isComplete: true,
      async strike () {
        await server.pause()
        await delay(spans.fault)
        await server.resume()
      }
    })
  })

  await t.test('while Redis is down, until it is started again with its data', async (t) => {
    await runOutage(t, clients, {
      isComplete: true,
      async strike () {
        await server.kill()
        await delay(spans.fault)
        await server.restart()
      }
    })
  })

  await t.test('while Redis is down, until it is started again empty and tags are invalidated there anew', async (t) => {
    await runOutage(t, clients, {
      isComplete: true,
      invalidates: true,
      async strike () {
        await server.kill()
        await delay(spans.fault)
        await server.restart({ empty: true })
      }
    })
  })
})
