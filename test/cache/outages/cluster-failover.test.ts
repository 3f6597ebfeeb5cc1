import t from 'tap'
import { ownCluster } from '../../helpers/redis.js'
import { startClients } from './clients.js'
import { runOutage } from './run-outage.js'

/** Milliseconds: that another server answers is noticed within a second, and what it has not heard of is then told again. */
const TOLD = 2_000

t.test('two hundred clients go on while a master of a Cluster is replaced, and nothing outdated outlives that for long', async (t) => {
  const cluster = await ownCluster(t, { persist: false })
  const connection = { kind: 'cluster', nodes: cluster.startupNodes.map(({ host, port }) => ({ host, port })) } as const
  const clients = await startClients(t, [connection, connection])
  const [first, second, third] = cluster.nodes

  await t.test('on an order', async (t) => {
    await runOutage(t, clients, {
      told: TOLD,
      async strike () {
        await cluster.failOver(first!, 'order')
      }
    })
  })

  await t.test('because it freezes, to thaw when another has taken its place', async (t) => {
    await runOutage(t, clients, {
      told: TOLD,
      async strike () {
        await cluster.failOver(second!, 'pause')
        await second!.resume()
      }
    })
  })

  await t.test('because it dies', async (t) => {
    await runOutage(t, clients, {
      told: TOLD,
      async strike () {
        await cluster.failOver(third!, 'kill')
      }
    })
  })
})
