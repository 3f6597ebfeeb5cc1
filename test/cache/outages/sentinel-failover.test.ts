import t from 'tap'
import { info } from '../../../services/redis-group.js'
import { eventually } from '../../helpers/eventually.js'
import { ownSentinel } from '../../helpers/redis.js'
import { startClients } from './clients.js'
import { runOutage } from './run-outage.js'

/** Milliseconds: that another server answers is noticed within a second, and what it has not heard of is then told again. */
const TOLD = 2_000

t.test('two hundred clients go on while Sentinel replaces the master, and nothing outdated outlives that for long', async (t) => {
  const sentinel = await ownSentinel(t)
  const connection = { kind: 'sentinel', sentinels: sentinel.sentinels, name: sentinel.name } as const
  const clients = await startClients(t, [connection, connection])

  await t.test('on an order', async (t) => {
    await runOutage(t, clients, {
      told: TOLD,
      async strike () {
        await sentinel.failOver('order')
      }
    })
  })

  await t.test('because it freezes, to thaw when another has taken its place', async (t) => {
    await runOutage(t, clients, {
      told: TOLD,
      async strike () {
        const frozen = await sentinel.master()
        await sentinel.failOver('pause')
        await frozen.resume()
      }
    })
  })

  // The one that froze is to be fit to take over again.
  const replica = await sentinel.replica()
  await eventually(async () => (await info(replica, 'INFO', 'replication')).get('master_link_status') === 'up', 20_000)

  await t.test('because it dies', async (t) => {
    await runOutage(t, clients, {
      told: TOLD,
      async strike () {
        await sentinel.failOver('kill')
      }
    })
  })
})
