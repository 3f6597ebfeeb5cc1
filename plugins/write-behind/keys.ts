import { crc32 } from 'node:zlib'

/**
 * So many parts has a queue, each with one owner at a time: so many processes can share the work. Part of how a queue stands in
 * Redis: with another number, ids would be looked for where they are not.
 */
export const SHARDS = 16

/** Where a shard stands in Redis: all of it in one slot of a Cluster. */
export interface ShardKeys {
  /** Stream of the ids that wait, in the order in which they began to. */
  readonly queue: string
  /** Hash of the records that wait, by id. */
  readonly records: string
  /** Hash of how often the save of a record has failed, by id. */
  readonly tries: string
  /** The last version that was given out. */
  readonly version: string
  /** The owner's token, while its lease lasts. */
  readonly lease: string
  /** Stream of what could not be saved. */
  readonly dead: string
  /** Hash of the last entry in that of each id, unless something newer has been saved since. */
  readonly buried: string
  /** What a write was answered: a client that has lost the connection sends it again. */
  readonly answer: (write: string) => string
}

/** The shard of an id. Ids are spread evenly, and one is always in the same. */
export function shardOf (id: string): number {
  return crc32(id) % SHARDS
}

/** @param prefix that of the app @param name that of the queue; neither has a colon or a brace */
export function shardKeys (prefix: string, name: string, shard: number): ShardKeys {
  const of = (what: string): string => `${prefix}:write-behind:{${name}:${shard}}:${what}`
  return {
    queue: of('queue'),
    records: of('records'),
    tries: of('tries'),
    version: of('version'),
    lease: of('lease'),
    dead: of('dead'),
    buried: of('buried'),
    answer: (write) => of(`answer:${write}`)
  }
}

/** Sorted set of the processes that share the work, by when they were last there, in milliseconds of Redis' clock. */
export function membersKey (prefix: string, name: string): string {
  return `${prefix}:write-behind:{${name}}:members`
}

/** The pub/sub channel on which the owner of a shard is told that something waits in it. */
export function channelOf (prefix: string): string {
  return `${prefix}:write-behind`
}
