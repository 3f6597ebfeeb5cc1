/** What a topology of the driver is made of (SDAM specification): a server of which nothing is known is away. */
export interface TopologyDescription {
  servers: ReadonlyMap<string, { type: string }>
}

/** What is not in the driver's types: the pool of each server. */
export interface Topology {
  description?: TopologyDescription
  s?: { servers?: ReadonlyMap<string, { pool?: ServerPool }> }
}

export interface ServerPool {
  readonly address: string
  readonly totalConnectionCount: number
  readonly availableConnectionCount: number
  /** Of `waitQueue`, in which who gave up stands until it is at the head. */
  readonly waitQueueSize: number
  readonly waitQueue: Iterable<Place> & { last (): Place | null }
  /** Whether it serves those in its queue just now; else a connection is opened for nobody yet. */
  readonly processingWaitQueue?: boolean
  readonly connections: Iterable<{ readonly id: number }>
  readonly checkedOut: Iterable<{ readonly id: number }>
}

/** That of one who asks, in the queue of its pool. */
export interface Place {
  readonly checkoutTime: number
  /** Its operation was aborted, or has waited for too long: it is passed over. */
  cancelled: boolean
  readonly reject: (error: Error) => void
}

export function isServerPool (pool: ServerPool | undefined): pool is ServerPool {
  return typeof pool?.waitQueueSize === 'number' && typeof pool.waitQueue?.last === 'function' && [pool.waitQueue, pool.connections, pool.checkedOut].every((part) => typeof part?.[Symbol.iterator] === 'function')
}
