import { type Address, addressOf, command, info, orStop, type RedisGroupOptions, startTogether, stopAll, talk, until } from './redis-group.js'
import type { RedisServer } from './redis-server.js'

export interface RedisSentinelOptions extends RedisGroupOptions {
  /** How many Sentinels. One alone is enough for clients to be told by. Default: 3. */
  guards?: number
}

/** A master and a replica, watched by Sentinels. */
export interface RedisSentinel {
  /** The watched servers: the first master, the first replica. */
  readonly servers: RedisServer[]
  /** The Sentinels themselves, to be frozen and killed as any server. */
  readonly guards: RedisServer[]
  /** For `new Redis({ sentinels, name })` of ioredis. */
  readonly sentinels: Address[]
  /** What the Sentinels call the master. */
  readonly name: string
  /** Who is the master at the moment, as soon as the Sentinels that answer agree. */
  master(): Promise<RedisServer>
  /** The other one, dead or alive. */
  replica(): Promise<RedisServer>
  /**
   * Makes the replica the master, on an order or because the master dies or freezes. Resolves with the new master
   * when the Sentinels agree on it and, on an order, the old one is its replica.
   */
  failOver(because?: 'order' | 'kill' | 'pause'): Promise<RedisServer>
  stop(): Promise<void>
}

const name = 'headroom'

/** How long the master may be silent, in milliseconds. A busy machine must not look like a dead one. */
const downAfter = 1_500

/** In milliseconds: twice as long has to pass between two tries to fail over. */
const failoverTimeout = 2_000

/** By default they look every ten seconds and talk every two, as is right for days of watching. A test has moments. */
const hurry = ['INFO-PERIOD', 100, 'PUBLISH-PERIOD', 100, 'ASK-PERIOD', 100]

/**
 * While a replica is promoted on an order: who has not heard of it within four of these periods takes the new master for a
 * replica gone astray and sends it back, which ends the fail-over for good. The news goes out at once, whatever the period.
 */
const calm = ['PUBLISH-PERIOD', 2_000]

/** Starts Sentinels and what they watch on 127.0.0.1; resolves when they could fail over. Needs Redis 7. */
export async function startRedisSentinel ({ onProgress, guards: guardCount = 3, ...options }: RedisSentinelOptions = {}): Promise<RedisSentinel> {
  // By default a master waits five seconds for more replicas to come, and at its end ten for them to catch up.
  const args = ['--repl-diskless-sync-delay', '0', '--shutdown-timeout', '0']
  const servers = await startTogether([{ ...options, args }, { ...options, args }], onProgress)
  return await orStop(servers, async () => {
    const [master, replica] = servers as [RedisServer, RedisServer]
    await talk(replica, (redis) => redis.call('REPLICAOF', master.host, master.port))
    await until('the replica has the data of its master', () => isReplica(replica, master))
    const guards = await startTogether(Array.from({ length: guardCount }, () => ({ args: ['--sentinel'], config: configFor(master, guardCount) })))
    return await orStop(guards, async () => await watch(servers, guards))
  })
}

function configFor ({ host, port }: Address, guardCount: number): string {
  const quorum = Math.floor(guardCount / 2) + 1
  return `
    sentinel monitor ${name} ${host} ${port} ${quorum}
    sentinel down-after-milliseconds ${name} ${downAfter}
    sentinel failover-timeout ${name} ${failoverTimeout}
  `
}

async function watch (servers: RedisServer[], guards: RedisServer[]): Promise<RedisSentinel> {
  await Promise.all(guards.map((guard) => talk(guard, (redis) => redis.call('SENTINEL', 'DEBUG', ...hurry))))
  await until('the Sentinels know each other and the replica', async () => {
    const reports = await Promise.all(guards.map(reportOf))
    return reports.every(({ replicas, sentinels }) => replicas === 1 && sentinels === guards.length)
  })

  async function reports (): Promise<Report[]> {
    const all = await Promise.allSettled(guards.map(reportOf))
    return all.flatMap((report) => report.status === 'fulfilled' ? [report.value] : [])
  }
  /** What those Sentinels that answer agree on; `undefined` when they do not. */
  async function agreed (): Promise<RedisServer | undefined> {
    const [port, ...others] = new Set((await reports()).map(({ port }) => port))
    return others.length > 0 ? undefined : servers.find((server) => server.port === port)
  }
  async function master (): Promise<RedisServer> {
    let found: RedisServer | undefined
    await until('the Sentinels agree on a master', async () => (found = await agreed()) !== undefined)
    return found!
  }
  async function order (old: RedisServer, next: RedisServer): Promise<boolean> {
    // A master that was away comes back as a master: promoted as it is, it would lose its data and confuse them all.
    if (!await isReplica(next, old)) return false
    const [first] = await reports()
    // Refused until the Sentinel has seen that the replica is fit.
    return await command(first!.guard, 'SENTINEL', 'FAILOVER', name) === 'OK'
  }
  /** The order again when it came to nothing: on a busy machine the Sentinel gives up, and nobody else sees a reason to try. */
  async function obey (old: RedisServer, next: RedisServer): Promise<boolean> {
    await until('a Sentinel fails over', async () => await isPromoted(next) || await order(old, next))
    const givenUp = Date.now() + 2 * failoverTimeout
    await until('the fail-over ends', async () => await isPromoted(next) || Date.now() > givenUp)
    return await isPromoted(next)
  }
  async function isPromoted (next: RedisServer): Promise<boolean> {
    return await agreed() === next && await isMaster(next)
  }
  const otherThan = (server: RedisServer): RedisServer => servers.find((other) => other !== server)!

  return {
    servers,
    guards,
    sentinels: guards.map(addressOf),
    name,
    master,
    replica: async () => otherThan(await master()),
    async failOver (because = 'order') {
      const old = await master()
      const next = otherThan(old)
      const promoted = `the replica ${next.host}:${next.port} becomes the master`
      if (because === 'order') {
        await Promise.allSettled(guards.map((guard) => tune(guard, calm)))
        await until(promoted, () => obey(old, next))
        await Promise.allSettled(guards.map((guard) => tune(guard, hurry)))
        await until('the old master becomes its replica', () => isReplica(old, next))
      } else {
        await old[because]()
        await until(promoted, () => isPromoted(next))
      }
      return next
    },
    stop: () => stopAll([...guards, ...servers])
  }
}

async function tune (guard: RedisServer, periods: ReadonlyArray<string | number>): Promise<void> {
  await command(guard, 'SENTINEL', 'DEBUG', ...periods)
}

/** How a Sentinel sees the master. */
interface Report {
  guard: RedisServer
  port: number
  replicas: number
  /** Itself included. */
  sentinels: number
}

async function reportOf (guard: RedisServer): Promise<Report> {
  // master0:name=…,status=ok,address=127.0.0.1:6379,slaves=1,sentinels=3
  const line = (await info(guard, 'INFO', 'sentinel')).get('master0')!
  const field = (pattern: RegExp): number => Number(pattern.exec(line)?.[1])
  return { guard, port: field(/address=.*?:(\d+),/), replicas: field(/slaves=(\d+)/), sentinels: field(/sentinels=(\d+)/) }
}

async function isMaster (server: RedisServer): Promise<boolean> {
  return (await info(server, 'INFO', 'replication')).get('role') === 'master'
}

async function isReplica (server: RedisServer, master: RedisServer): Promise<boolean> {
  const replication = await info(server, 'INFO', 'replication')
  return replication.get('master_port') === String(master.port) && replication.get('master_link_status') === 'up'
}
