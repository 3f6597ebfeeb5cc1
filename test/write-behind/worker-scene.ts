import type { Test } from 'tap'
import { RedisCommands } from '../../plugins/shared/redis-commands.js'
import type { WriteBehindOptions } from '../../plugins/write-behind/index.js'
import { SHARDS, shardOf } from '../../plugins/write-behind/keys.js'
import { isSourceAway } from '../../plugins/write-behind/source-away.js'
import { payloadOf } from '../../plugins/write-behind/record.js'
import { Saver } from '../../plugins/write-behind/saver.js'
import { Worker, type WorkerOptions } from '../../plugins/write-behind/worker.js'
import { WriteLog } from '../../plugins/write-behind/write-log.js'
import { connect, freshPrefix } from '../cache/build-app.js'
import type { UsedRedis } from '../helpers/redis.js'

export interface SceneOptions extends Partial<WorkerOptions> {
  prefix?: string
  save?: WriteBehindOptions['save']
  saveMany?: NonNullable<WriteBehindOptions['saveMany']>
  saveTimeout?: number
}

/** A worker over a real Redis, whose leases are asked for by the test alone. */
export async function scene (t: Test, redis: UsedRedis, { prefix = freshPrefix(redis.prefix), save = () => {}, saveMany, saveTimeout = 10_000, ...options }: SceneOptions = {}) {
  const commands = new RedisCommands({ client: await connect(t, redis.url), timeout: 10_000 })
  const log = new WriteLog({ commands, prefix, name: 'views', channel: `${prefix}:write-behind`, limit: 10_000 })
  const dead: string[] = []
  const worker = new Worker({
    log,
    saver: new Saver({ save, saveMany, saveTimeout, isOutage: isSourceAway }),
    lease: 10_000,
    delay: 0,
    batch: 100,
    concurrency: 4,
    attempts: 3,
    retry: { first: 5, longest: 20 },
    random: () => 0,
    events: {
      onSaved: () => {},
      onRoom: () => {},
      onFailed: () => {},
      onDead: ({ id }) => { dead.push(id) },
      onOutage: () => {},
      onRedisError: (error) => { throw error }
    },
    ...options
  })
  t.teardown(() => worker.close())
  const set = async (id: string, value: unknown): Promise<void> => {
    await log.enqueue(shardOf(id), [{ id, payload: payloadOf(id, value) as Buffer }])
    worker.wake(shardOf(id))
  }
  const own = async (): Promise<void> => { await worker.tend(() => true, SHARDS) }
  const empty = async (): Promise<boolean> => (await Promise.all(Array.from({ length: SHARDS }, async (_, shard) => (await log.depth(shard)).waiting))).every((waiting) => waiting === 0)
  return { prefix, log, worker, set, own, empty, dead }
}

/** Ids that are all of this shard. */
export function idsOf (shard: number): string[] {
  return Array.from({ length: 2_000 }, (_, id) => `${id}`).filter((id) => shardOf(id) === shard)
}
