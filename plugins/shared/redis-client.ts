/** What is asked of a Redis client: ioredis 5 and 6, `Redis` and `Cluster`, are such clients. */
export interface RedisClient {
  readonly status: string
  /** True of a client of Redis Cluster. */
  readonly isCluster?: boolean
  getBuffer (key: string): Promise<Buffer | null>
  mgetBuffer (...keys: string[]): Promise<Array<Buffer | null>>
  time (): Promise<ReadonlyArray<number | string>>
  /** The text of INFO. */
  info (section: string): Promise<string>
  /** Of a client of Redis Cluster: those of its nodes. */
  nodes? (role: 'master'): ReadonlyArray<Pick<RedisClient, 'info'>>
  publish (channel: string, message: string): Promise<unknown>
  eval (script: string, numberOfKeys: number, ...args: Array<string | Buffer | number>): Promise<unknown>
  duplicate (...options: any[]): RedisSubscriber
}

export interface RedisSubscriber {
  readonly status: string
  connect (): Promise<unknown>
  subscribe (...channels: string[]): Promise<unknown>
  ping (): Promise<unknown>
  disconnect (reconnect?: boolean): void
  on (event: string, listener: (...args: any[]) => void): unknown
}

export function isRedisClient (value: unknown): value is RedisClient {
  const client = value as Partial<RedisClient> | null | undefined
  return typeof client === 'object' && client !== null && typeof client.status === 'string' &&
    typeof client.getBuffer === 'function' && typeof client.mgetBuffer === 'function' && typeof client.eval === 'function' && typeof client.duplicate === 'function'
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
