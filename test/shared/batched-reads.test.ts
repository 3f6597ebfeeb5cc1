import t from 'tap'
import { BatchedReads } from '../../plugins/shared/batched-reads.js'
import type { RedisClient } from '../../plugins/shared/redis-client.js'
import { RedisCommands } from '../../plugins/shared/redis-commands.js'
import { slotOf } from '../../plugins/shared/redis-slot.js'

/** A Cluster of two nodes, of which one hangs. */
function build () {
  const slots = Array.from({ length: 16_384 }, (_, slot) => [slot < 8_192 ? 'well' : 'hung'])
  const answer = (key: string): Promise<unknown> => slotOf(key) < 8_192 ? Promise.resolve(null) : new Promise(() => {})
  const client = {
    status: 'ready',
    isCluster: true,
    slots,
    getBuffer: answer,
    pipeline () {
      const asked: string[] = []
      return { getBuffer: (key: string) => { asked.push(key) }, exec: async () => await Promise.all(asked.map(async (key) => [null, await answer(key)])) }
    }
  } as unknown as RedisClient
  return new BatchedReads(new RedisCommands({ client, timeout: 200 }))
}

t.test('many keys wait for one command of a node that hangs', async (t) => {
  const at = performance.now()
  await build().get(Array.from({ length: 1_500 }, (_, n) => `key ${n}`))
  t.ok(performance.now() - at < 300, `${performance.now() - at} ms`)
})

t.test('who reads from a node that is well does not wait for one that hangs', async (t) => {
  const keys = Array.from({ length: 100 }, (_, n) => `key ${n}`)
  const [well, hung] = [keys.find((key) => slotOf(key) < 8_192)!, keys.find((key) => slotOf(key) >= 8_192)!]
  const reads = build()
  const at = performance.now()
  const other = reads.get([hung])
  await reads.get([well])
  const took = performance.now() - at
  await other
  t.ok(took < 100, `${took} ms`)
})
