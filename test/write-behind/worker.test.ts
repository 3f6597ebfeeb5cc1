import t from 'tap'
import { SHARDS, shardOf } from '../../plugins/write-behind/keys.js'
import type { Write } from '../../plugins/write-behind/record.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { idsOf, scene } from './worker-scene.js'

const redis = await useRedis(t)

t.test('what waits is saved, whether it came before the worker or after it', async (t) => {
  const saved = new Map<string, unknown>()
  const { set, own, empty } = await scene(t, redis, { save: (id, value) => { saved.set(String(id), value) } })
  for (let id = 0; id < 50; id++) await set(`before ${id}`, id)
  await own()
  for (let id = 0; id < 50; id++) await set(`after ${id}`, id)
  await eventually(empty)
  t.equal(saved.size, 100)
})

t.test('while one value of an id is saved, those that come are one save more: of the last', async (t) => {
  const saves = gate()
  const saved: unknown[] = []
  const { set, own, empty } = await scene(t, redis, { save: async (_id, value) => { saved.push(value); await saves.pass() } })
  await own()
  for (let value = 0; value < 10; value++) {
    await set('id', value)
    if (value === 0) await saves.arrived()
  }
  t.strictSame(saved, [0], 'and not beside each other')
  saves.open()
  await eventually(empty)
  t.strictSame(saved, [0, 9])
})

t.test('several are saved in one go where that is possible', async (t) => {
  const batches: number[] = []
  const { set, own, empty } = await scene(t, redis, { saveMany: (writes) => { batches.push(writes.length) } })
  const ids = idsOf(0)
  for (const id of ids) await set(id, 1)
  await own()
  await eventually(empty)
  t.ok(batches.length <= 3, `${batches.join(', ')} of ${ids.length}`)
  t.equal(batches.reduce((sum, count) => sum + count), ids.length)
})

t.test('a write that the source does not take is given up after some tries, alone, and holds up no other', async (t) => {
  const saved: unknown[] = []
  const poisoned = (write: Pick<Write, 'id'>): boolean => write.id === 'poison'
  for (const many of [false, true]) {
    saved.length = 0
    const { set, own, empty, dead, log, worker } = await scene(t, redis, {
      save: (id) => {
        if (poisoned({ id })) throw new Error('violates a constraint')
        saved.push(id)
      },
      ...many && {
        saveMany: (writes: readonly Write[]) => {
          if (writes.some(poisoned)) throw new Error('violates a constraint')
          saved.push(...writes.map(({ id }) => id))
        }
      }
    })
    const ids = Array.from({ length: 300 }, (_, id) => `${id}`)
    for (const id of [...ids.slice(0, 150), 'poison', ...ids.slice(150)]) await set(id, 1)
    await own()
    await eventually(empty)
    t.strictSame(dead, ['poison'])
    t.strictSame(saved.length, 300)
    t.equal((await log.depth(shardOf('poison'))).dead, 1)
    t.equal(worker.counts.dead, 1)
  }
})

t.test('while the source is away nothing is given up, however long that is', async (t) => {
  let isAway = true
  let tries = 0
  const saved: unknown[] = []
  const { set, own, empty, dead } = await scene(t, redis, {
    save: (id) => {
      tries++
      if (isAway) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
      saved.push(id)
    }
  })
  await own()
  for (let id = 0; id < 20; id++) await set(`${id}`, 1)
  await eventually(() => tries > 100)
  isAway = false
  await eventually(empty)
  t.strictSame([saved.length, dead], [20, []])
})

t.test('a save that never ends is given up in time, and holds up no other', async (t) => {
  let aborted = 0
  const saved: unknown[] = []
  const { set, own, empty, dead } = await scene(t, redis, {
    saveTimeout: 20,
    save: async (id, _value, { signal }) => {
      if (id === 'endless') {
        signal.addEventListener('abort', () => { aborted++ })
        await new Promise(() => {})
      }
      saved.push(id)
    }
  })
  await own()
  await set('endless', 1)
  // As long as others are saved, it is not the source that hangs.
  for (let id = 0; dead.length === 0; id++) {
    await set(`${id}`, 1)
    await new Promise((resolve) => { setTimeout(resolve, 1) })
  }
  await eventually(empty)
  t.strictSame([dead, aborted], [['endless'], 3])
  t.ok(saved.length > 3)
})

t.test('while no save ends, none is given up: the source hangs', async (t) => {
  let hangs = true
  let saves = 0
  const { set, own, empty, dead } = await scene(t, redis, { saveTimeout: 5, attempts: 2, save: async () => { saves++; if (hangs) await new Promise(() => {}) } })
  await own()
  for (let id = 0; id < 20; id++) await set(`${id}`, 1)
  await eventually(() => saves > 100)
  hangs = false
  await eventually(empty)
  t.strictSame(dead, [])
})

t.test('what was under way when the process that owned the shard died is saved by the next', async (t) => {
  const first = await scene(t, redis, { save: () => new Promise(() => {}), lease: 100 })
  await first.set('id', 'value')
  await first.own()
  const saved: unknown[] = []
  const second = await scene(t, redis, { prefix: first.prefix, save: (id, value) => { saved.push([id, value]) } })
  await eventually(async () => { await second.own(); return await second.empty() })
  t.strictSame(saved, [['id', 'value']])
})

t.test('before a drain ends, also what waits for others of its id is saved', async (t) => {
  const saved: unknown[] = []
  const { set, own, worker, empty } = await scene(t, redis, { delay: 60_000, save: (id) => { saved.push(id) } })
  await own()
  for (let id = 0; id < 20; id++) await set(`${id}`, 1)
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  t.equal(saved.length, 0)
  await worker.drain(performance.now() + 5_000)
  t.equal(saved.length, 20)
  t.equal(await empty(), true)
})

t.test('no shard waits while others are saved again and again', async (t) => {
  let batches = 0
  const saved = new Set<unknown>()
  const { set, own } = await scene(t, redis, {
    concurrency: 1,
    batch: 10,
    saveMany: async (writes) => {
      batches++
      for (const { id } of writes) saved.add(id)
      // Whoever is saved first is there again at once.
      await Promise.all(writes.filter(({ id }) => shardOf(String(id)) === 0).map(({ id }) => set(String(id), batches)))
    }
  })
  for (const id of idsOf(0).slice(0, 100)) await set(id, 0)
  const others = Array.from({ length: SHARDS - 1 }, (_, shard) => idsOf(shard + 1)[0]!)
  for (const id of others) await set(id, 0)
  await own()
  await eventually(() => others.every((id) => saved.has(id)))
  t.ok(batches < 40, `after ${batches} batches`)
})

t.test('of an id one save is under way at a time, and none older than what has been saved, whatever fails', async (t) => {
  let seed = 7
  const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31
  const active = new Set<unknown>()
  const done = new Map<unknown, number>()
  let [together, older, saves] = [0, 0, 0]
  const { set, own, empty } = await scene(t, redis, {
    attempts: 1_000,
    retry: { first: 1, longest: 3 },
    save: async (id, _value, { version }) => {
      saves++
      if (active.has(id)) together++
      if (version < (done.get(id) ?? 0)) older++
      active.add(id)
      await new Promise((resolve) => { setTimeout(resolve, random() * 4) })
      active.delete(id)
      if (random() < 0.4) throw new Error('fails at times')
      done.set(id, version)
    }
  })
  await own()
  for (let round = 0; round < 300; round++) {
    await Promise.all(Array.from({ length: 5 }, (_, n) => set(`${Math.floor(random() * 6)}`, round * 5 + n)))
    await new Promise((resolve) => { setTimeout(resolve, random() * 5) })
  }
  await eventually(empty)
  t.strictSame([together, older], [0, 0], `of ${saves} saves`)
  t.ok(saves > 300)
})
