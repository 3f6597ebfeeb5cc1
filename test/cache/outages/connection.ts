import { Cluster, Redis } from 'ioredis'
import type { Address } from '../../../services/redis-group.js'
import type { RedisClient } from '../../../plugins/cache/index.js'

/** Where the clients of an outage find their Redis; can be sent to a thread. */
export type Connection =
  | { readonly kind: 'server', readonly url: string }
  | { readonly kind: 'cluster', readonly nodes: readonly Address[] }
  | { readonly kind: 'sentinel', readonly sentinels: readonly Address[], readonly name: string }

/** How soon a client connects again is the host's to say, and counts to the time that Redis is away. Milliseconds. */
const retryStrategy = (): number => 100

export function clientFor (connection: Connection): RedisClient & { disconnect (): void } {
  const client = open(connection)
  client.on('error', () => {})
  return client
}

function open (connection: Connection): Redis | Cluster {
  switch (connection.kind) {
    case 'server': return new Redis(connection.url, { retryStrategy })
    case 'cluster': return new Cluster([...connection.nodes], { clusterRetryStrategy: retryStrategy })
    // Not with `failoverDetector`: where a fail-over comes while the client is connecting, ioredis 6 ends it for good.
    case 'sentinel': return new Redis({ sentinels: [...connection.sentinels], name: connection.name, retryStrategy, sentinelRetryStrategy: retryStrategy })
  }
}
