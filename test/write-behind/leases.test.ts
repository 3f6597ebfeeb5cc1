import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { shardKeys, SHARDS } from '../../plugins/write-behind/keys.js'
import { connect } from '../cache/build-app.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { idsOf, scene } from './worker-scene.js'

const redis = await useRedis(t)
const [first, second] = idsOf(0) as [string, string]

/** Ends the lease of the first shard, as Redis does when its time is over. */
async function endLease (prefix: string): Promise<void> {
  await (await connect(t, redis.url)).del(shardKeys(prefix, 'views', 0).lease)
}

t.test('two messages at once about a shard that nobody owns take it once', async (t) => {
  const { worker } = await scene(t, redis)
  await Promise.all([worker.tendOne(0, true), worker.tendOne(0, true)])
  t.equal(worker.owns(0), true)
  await worker.tendOne(0, true)
  t.equal(worker.owns(0), true)
})

t.test('who has lost a shard to another process, and gets it back, begins with what stands in Redis', async (t) => {
  const source: unknown[] = []
  const saves = gate()
  const a = await scene(t, redis, {
    concurrency: 1,
    batch: 1,
    save: async (id, value) => {
      if (id === first) await saves.pass()
      else source.push(value)
    }
  })
  await a.worker.tendOne(0, true)
  await a.set(first, 'holds up the next one')
  await saves.arrived()
  await a.set(second, 'old')
  // It has been read ahead when nothing of the shard is asked for any more.
  await eventually(async () => (await a.log.depth(0)).waiting === 2)
  await delay(20)
  await endLease(a.prefix)
  const b = await scene(t, redis, { prefix: a.prefix, save: (id, value) => { if (id === second) source.push(value) } })
  await b.worker.tendOne(0, true)
  await b.set(second, 'new')
  await eventually(async () => (await b.log.depth(0)).waiting === 0)
  await b.worker.close()
  await a.worker.tendOne(0, true)
  await a.worker.tendOne(0, true)
  t.equal(a.worker.owns(0), true)
  saves.open()
  await a.set(second, 'newest')
  await eventually(() => source.at(-1) === 'newest')
  t.notOk(source.slice(source.indexOf('new')).includes('old'), source.join())
})

t.test('a shard that is lost while its lease is renewed is not kept by halves', async (t) => {
  const saved: unknown[] = []
  const a = await scene(t, redis, { save: (id) => { saved.push(id) } })
  await a.worker.tendOne(0, true)
  const renewal = gate()
  const tend = a.log.tend.bind(a.log)
  a.log.tend = async (...args) => {
    await renewal.pass()
    return await tend(...args)
  }
  const renewed = a.worker.tendOne(0, true)
  await renewal.arrived()
  await endLease(a.prefix)
  a.worker.wake(0)
  await eventually(() => !a.worker.owns(0))
  renewal.open()
  await renewed
  await a.worker.tendOne(0, true)
  await a.set(first, 1)
  await eventually(() => saved.length > 0)
})

t.test('what has failed for the last time while a newer write waits is not said to be dead', async (t) => {
  const saves = gate()
  const { worker, set, log, dead } = await scene(t, redis, { attempts: 1, save: () => saves.pass() })
  await worker.tendOne(0, true)
  await set(first, 1)
  await saves.arrived()
  await set(first, 2)
  saves.fail(new Error('no'))
  saves.open()
  await eventually(async () => (await log.depth(0)).waiting === 0)
  t.strictSame([dead, (await log.depth(0)).dead, worker.counts.dead], [[], 0, 0])
})

t.test('a lease that cannot be renewed ends by itself: what is under way is told to end', async (t) => {
  const aborted: unknown[] = []
  const { worker, set, log } = await scene(t, redis, {
    lease: 1_000,
    save: async (_id, _value, { signal }) => {
      await new Promise<void>((resolve) => { signal.addEventListener('abort', () => { aborted.push(signal.reason); resolve() }) })
    }
  })
  await worker.tendOne(0, true)
  await set(first, 1)
  await eventually(() => aborted.length > 0)
  t.match(aborted[0], { name: 'FencedError' })
  await eventually(() => !worker.owns(0))
  t.equal((await log.depth(0)).waiting, 1)
})

t.test('a shard that is lost fails no write of the others that are saved with it', async (t) => {
  const [saves, blocked] = [gate(), gate()]
  const saved: unknown[] = []
  const signals: AbortSignal[] = []
  const a = await scene(t, redis, {
    attempts: 1,
    concurrency: 1,
    // Alone: until it has ended the others are read, and then saved together.
    save: blocked.pass,
    saveMany: async (writes, { signal }) => {
      signals.push(signal)
      await saves.pass()
      saved.push(...writes.map(({ id }) => id))
    }
  })
  let read = 0
  const claim = a.log.claim.bind(a.log)
  a.log.claim = async (...args) => {
    const found = await claim(...args)
    read += found.claims.length
    return found
  }
  const [other, alone] = [idsOf(1)[0]!, idsOf(2)[0]!]
  await a.worker.tend((shard) => shard < 3, SHARDS)
  await a.set(alone, 1)
  await blocked.arrived()
  await a.set(first, 1)
  await a.set(other, 1)
  await eventually(() => read === 3)
  blocked.open()
  await saves.arrived()
  await endLease(a.prefix)
  await a.worker.tendOne(0, true)
  t.equal(a.worker.owns(0), false)
  t.equal(signals[0]!.aborted, false)
  saves.open()
  await eventually(async () => (await a.log.depth(1)).waiting === 0)
  t.strictSame([saved.includes(other), a.dead, (await a.log.depth(0)).waiting], [true, [], 1])
})

t.test('a newer write has all its tries, whatever became of the one before it', async (t) => {
  const seen: unknown[] = []
  const failing = gate()
  const { worker, set, dead, log } = await scene(t, redis, {
    attempts: 3,
    retry: { first: 30, longest: 30 },
    save: async (_id, value) => {
      seen.push(value)
      if (value === 'old' && seen.length === 2) await failing.pass()
      throw new Error('refused')
    }
  })
  await worker.tendOne(0, true)
  await set(first, 'old')
  await failing.arrived()
  failing.open()
  await eventually(async () => (await log.letters(0, '-', 1)).letters.length > 0 || seen.length === 2)
  await set(first, 'new')
  await eventually(() => dead.length > 0)
  t.equal(seen.filter((value) => value === 'new').length, 3, seen.join())
})
