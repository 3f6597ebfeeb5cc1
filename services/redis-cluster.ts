import { type Address, addressOf, command, info, orStop, type RedisGroupOptions, startTogether, stopAll, talk, until } from './redis-group.js'
import type { RedisServer } from './redis-server.js'

export interface RedisClusterOptions extends RedisGroupOptions {
  /** Of each master. Without them no master is ever replaced, and half as many servers start in less time. Default: 1. */
  replicas?: 0 | 1
}

/** Three masters, each with one replica, or with none. */
export interface RedisCluster {
  /** As they were started: masters of the first, second and last third of the slots, then their replicas in that order. */
  readonly nodes: RedisServer[]
  /** For `new Cluster(startupNodes)` of ioredis. */
  readonly startupNodes: Address[]
  /** Who serves a slot, or the slot of a key, at the moment. */
  masterOf(place: number | string): Promise<RedisServer>
  /** Who replicates this master, even one that is dead or frozen. */
  replicaOf(master: RedisServer): Promise<RedisServer>
  /**
   * Makes the replica the master, on an order and without loss, or because the master dies or freezes, which takes
   * the others a few seconds to find out. Resolves with the new master when all who answer agree on it.
   */
  failOver(master: RedisServer, because?: 'order' | 'kill' | 'pause'): Promise<RedisServer>
  stop(): Promise<void>
}

const SLOTS = 16_384
const masters = 3

/** How long a node may be silent before the others give it up, in milliseconds. A busy machine must not look like a dead one. */
const nodeTimeout = 1_500

/** The same where nobody could take its place. */
const patientTimeout = 10_000

/**
 * Starts a Redis Cluster on 127.0.0.1; resolves when it serves every slot and every replica has its master's data. Needs Redis 7.
 * However few they are, it takes more than two seconds, for which a master waits before it serves (CLUSTER_WRITABLE_DELAY).
 */
export async function startRedisCluster ({ onProgress, replicas = 1, ...options }: RedisClusterOptions = {}): Promise<RedisCluster> {
  const args = (port: number): string[] => argsOf(port, replicas === 0 ? patientTimeout : nodeTimeout)
  const nodes = await startTogether(Array.from({ length: masters * (1 + replicas) }, () => ({ ...options, args })), onProgress)
  return await orStop(nodes, async () => await form(nodes))
}

function argsOf (port: number, timeout: number): string[] {
  return Object.entries({
    'cluster-enabled': 'yes',
    'cluster-port': busPort(port),
    'cluster-announce-ip': '127.0.0.1',
    'cluster-node-timeout': timeout,
    // However long it has not heard of its master: a replica here is the only one.
    'cluster-replica-validity-factor': 0,
    // Every master keeps the replica that it has.
    'cluster-allow-replica-migration': 'no',
    // By default a master waits five seconds for more replicas to come, and at its end ten for them to catch up.
    'repl-diskless-sync-delay': 0,
    'shutdown-timeout': 0
  }).flatMap(([name, value]) => [`--${name}`, String(value)])
}

/** The usual distance of ten thousand, downwards when there are no such ports above. */
function busPort (port: number): number {
  return port + 10_000 < 65_536 ? port + 10_000 : port - 10_000
}

async function form (nodes: RedisServer[]): Promise<RedisCluster> {
  const ids = new Map<RedisServer, string>()
  const first = (n: number): number => Math.floor(n * SLOTS / masters)
  await Promise.all(nodes.map((node, index) => talk(node, async (redis) => {
    ids.set(node, String(await redis.call('CLUSTER', 'MYID')))
    if (index < masters) {
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', first(index), first(index + 1) - 1)
      // Different from the start, or the masters first sort out who has precedence. Refused by one that knows others.
      await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    }
  })))
  // Everyone meets everyone: gossip gets there too, but takes its time.
  await Promise.all(nodes.map((node, index) => talk(node, async (redis) => {
    for (const { host, port } of nodes.slice(0, index)) await redis.call('CLUSTER', 'MEET', host, port, busPort(port))
  })))
  for (const [index, replica] of nodes.slice(masters).entries()) {
    await until('a replica knows its master', async () => await command(replica, 'CLUSTER', 'REPLICATE', ids.get(nodes[index]!)!) === 'OK')
  }
  // Before that it is of no use to ask all of them for all that they know.
  await talk(nodes[0]!, async (redis) => {
    await until('a master serves', async () => String(await redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
  })
  await until('the cluster serves every slot', async () => agree(await Promise.all(nodes.map(viewOf)), nodes.length))

  async function replicaOf (master: RedisServer): Promise<RedisServer> {
    const found = (await viewsOf(nodes)).find(({ self }) => self.master === ids.get(master))
    if (found === undefined) throw new Error(`No replica of ${master.host}:${master.port}`)
    return found.node
  }

  return {
    nodes,
    startupNodes: nodes.map(addressOf),
    replicaOf,
    async masterOf (place) {
      const slot = typeof place === 'number' ? place : Number(await Promise.any(nodes.map((node) => command(node, 'CLUSTER', 'KEYSLOT', place))))
      // A master that was away may not know yet that it was replaced: the later election counts.
      const claims = (await viewsOf(nodes)).filter(({ self }) => serves(self, slot)).sort((a, b) => b.self.epoch - a.self.epoch)
      if (claims[0] === undefined) throw new Error(`No master of ${place}`)
      return claims[0].node
    },
    async failOver (master, because = 'order') {
      const replica = await replicaOf(master)
      if (because === 'order') await command(replica, 'CLUSTER', 'FAILOVER')
      else await master[because]()
      const asked = because === 'order' ? nodes : nodes.filter((node) => node !== master)
      await until(`the replica ${replica.host}:${replica.port} becomes the master`, async () => {
        const views = await viewsOf(asked)
        const promoted = views.find(({ node }) => node === replica)
        return promoted !== undefined && promoted.self.slots.length > 0 && agree(views)
      })
      return replica
    },
    stop: () => stopAll(nodes)
  }
}

interface Member {
  id: string
  /** The id of its master, none when it is one. */
  master: string | undefined
  /** Which election made it what it is: the highest is the last. */
  epoch: number
  /** First and last of each range that it serves. */
  slots: Array<[number, number]>
}

/** How a node sees the cluster. */
interface View {
  node: RedisServer
  self: Member
  members: Member[]
  /** Whether it serves: every slot has a master that it can reach, and itself is in step with its own master. */
  works: boolean
}

async function viewOf (node: RedisServer): Promise<View> {
  const [text, cluster, replication] = await Promise.all([
    command(node, 'CLUSTER', 'NODES'), info(node, 'CLUSTER', 'INFO'), info(node, 'INFO', 'replication')
  ])
  const lines = String(text).trim().split('\n').map((line) => line.split(' '))
  const members = lines.map(memberOf)
  return {
    node,
    members,
    self: members[lines.findIndex(([, , flags]) => flags!.split(',').includes('myself'))]!,
    works: cluster.get('cluster_state') === 'ok' && (replication.get('role') === 'master' || replication.get('master_link_status') === 'up')
  }
}

/** A line of CLUSTER NODES: id, address, flags, master, ping, pong, epoch, link, then slots and those that migrate in brackets. */
function memberOf ([id, , , master, , , epoch, , ...slots]: string[]): Member {
  return {
    id: id!,
    master: master === '-' ? undefined : master,
    epoch: Number(epoch),
    slots: slots.filter((range) => !range.startsWith('[')).map((range) => {
      const [first, last = first] = range.split('-')
      return [Number(first), Number(last)]
    })
  }
}

/** The views of those who answer. */
async function viewsOf (nodes: RedisServer[]): Promise<View[]> {
  const views = await Promise.allSettled(nodes.map(viewOf))
  return views.flatMap((view) => view.status === 'fulfilled' ? [view.value] : [])
}

/** Whether everyone works and sees the same masters and replicas, so many in all. */
function agree (views: View[], size?: number): boolean {
  const pictures = views.map(({ members }) => members.map(({ id, master, slots }) => `${id} ${master} ${slots.join()}`).sort().join('\n'))
  return views.every(({ works, members }) => works && members.length === (size ?? members.length)) && new Set(pictures).size === 1
}

function serves ({ master, slots }: Member, slot: number): boolean {
  return master === undefined && slots.some(([first, last]) => first <= slot && slot <= last)
}
