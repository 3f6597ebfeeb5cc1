import { describe } from './options.js'

/** The commands that a pipeline takes too. */
export interface PipelinedCommands {
  getBuffer (key: string): unknown
  eval (script: string, numberOfKeys: number, ...args: Array<string | Buffer | number>): unknown
}

export interface RedisPipeline extends PipelinedCommands {
  exec (): Promise<ReadonlyArray<readonly [error: Error | null, answer: unknown]> | null>
}

/** What is asked of a Redis client: ioredis 5 and 6, `Redis` and `Cluster`, are such clients. */
export interface RedisClient {
  readonly status: string
  /** True of a client of Redis Cluster. */
  readonly isCluster?: boolean
  readonly options?: object
  getBuffer (key: string): Promise<Buffer | null>
  mgetBuffer (...keys: string[]): Promise<Array<Buffer | null>>
  time (): Promise<ReadonlyArray<number | string>>
  /** The text of INFO. */
  info (section: string): Promise<string>
  publish (channel: string, message: string): Promise<unknown>
  eval (script: string, numberOfKeys: number, ...args: Array<string | Buffer | number>): Promise<unknown>
  /** Any command, with the texts in the answer as bytes: the types of ioredis have no `evalBuffer`. */
  callBuffer? (command: string, ...args: Array<string | Buffer | number>): Promise<unknown>
  call? (command: string, ...args: Array<string | Buffer | number>): Promise<unknown>
  duplicate (...options: any[]): RedisSubscriber
  on? (event: string, listener: (node?: RedisNode) => void): unknown
  off? (event: string, listener: (node?: RedisNode) => void): unknown
  /** Of a client of Redis Cluster: those of its nodes. */
  nodes? (role: 'master'): readonly RedisNode[]
  /** Of a client of Redis Cluster: of each slot the addresses of the nodes that have it, the master's first. */
  readonly slots?: ReadonlyArray<readonly string[] | undefined>
  /** Of a client of Redis Cluster: sends commands in one piece, all of them to the nodes that have the first one's slot. */
  pipeline? (): RedisPipeline
}

/** What is asked of one node of a Cluster. */
export type RedisNode = Pick<RedisClient, 'status' | 'options' | 'publish' | 'duplicate' | 'info' | 'call'>

export interface RedisSubscriber {
  readonly status: string
  connect (): Promise<unknown>
  subscribe (...channels: string[]): Promise<unknown>
  disconnect (reconnect?: boolean): void
  on (event: string, listener: (...args: any[]) => void): unknown
}

export function isRedisClient (value: unknown): value is RedisClient {
  const client = value as Partial<RedisClient> | null | undefined
  return typeof client === 'object' && client !== null && typeof client.status === 'string' &&
    typeof client.getBuffer === 'function' && typeof client.mgetBuffer === 'function' && typeof client.eval === 'function' && typeof client.duplicate === 'function'
}

/**
 * @returns the option that makes a client unfit, and what is expected of it: replicas can have what was overwritten or deleted
 *   long ago, and of a key that the client changes the slot in a Cluster is not known
 */
export function unfitOption ({ options = {}, isCluster }: RedisClient): { readonly expected: string, readonly given: string } | undefined {
  const given = options as Record<string, unknown>
  const { keyPrefix = (given.redisOptions as Record<string, unknown> | undefined)?.keyPrefix } = given
  if (isCluster === true && typeof keyPrefix === 'string' && keyPrefix !== '') {
    return { expected: 'a client of a Cluster that has no key prefix', given: `one with keyPrefix ${describe(keyPrefix)}` }
  }
  for (const [name, ofMaster] of [['scaleReads', 'master'], ['role', 'master'], ['readOnly', false]] as const) {
    if (given[name] !== undefined && given[name] !== ofMaster) return { expected: 'a client that reads from masters', given: `one with ${name} ${describe(given[name])}` }
  }
  return undefined
}

/** Of a node of a Cluster, as it stands in `slots`. */
export function addressOf ({ options = {} }: { readonly options?: object }): string {
  const { host, port } = options as { host?: string, port?: number }
  return `${host}:${port}`
}

/** The nodes of a Cluster that have the data, as far as its client knows; or what stands alone. */
export function mastersOf (client: RedisClient): readonly RedisNode[] {
  return client.isCluster === true ? client.nodes?.('master') ?? [] : [client]
}

/**
 * A connected client, or one that connects with its first command (`lazyConnect`). A command given to any other would
 * wait in the client's offline queue, and run whenever Redis is back: too late for what it was meant for.
 */
export function isReady (client: RedisClient): boolean {
  return isConnected(client) || client.status === 'wait'
}

/** For what is not asked by the host: it is for the host to have a lazy client connect. */
export function isConnected (client: RedisClient): boolean {
  return client.status === 'ready'
}
