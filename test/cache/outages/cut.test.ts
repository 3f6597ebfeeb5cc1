import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { moment } from './ledger.js'
import { useRedis } from '../../helpers/redis.js'
import { spans } from '../../helpers/soak.js'
import { startProxy, type Direction, type TcpProxy } from '../../helpers/tcp-proxy.js'
import { startClients } from './clients.js'
import { runOutage } from './run-outage.js'

/** Bytes that a connection may pass at most while connections are cut: some get no further than their greeting. */
const FAR = 30_000

t.test('two hundred clients go on while their connections to Redis are cut at any byte, and nothing outdated outlives that by a second', async (t) => {
  const { url } = await useRedis(t)
  const proxies = [await startProxy(t, url), await startProxy(t, url)] as const
  const clients = await startClients(t, [{ kind: 'server', url: proxies[0].url }, { kind: 'server', url: proxies[1].url }])

  await runOutage(t, clients, {
    async strike () {
      for (const until = moment() + spans.fault; moment() < until;) {
        for (const proxy of proxies) cutSomewhere(proxy)
        await delay(Math.random() * 200)
      }
      for (const proxy of proxies) spare(proxy)
      // Those that are to be cut still, and those that come in their place.
      await delay(200)
    }
  })
})

function cutSomewhere (proxy: TcpProxy): void {
  const direction: Direction = Math.random() < 0.5 ? 'toServer' : 'toClient'
  proxy.cutAfter(Math.floor(Math.random() * FAR), direction)
}

function spare (proxy: TcpProxy): void {
  proxy.cutAfter(Infinity, 'toServer')
  proxy.cutAfter(Infinity, 'toClient')
}
