import t, { type Test } from 'tap'
import type { Write, WriteBehind, WriteBehindOptions, WriteBehindPluginOptions } from '../../plugins/write-behind/index.js'
import { connect, freshPrefix } from '../cache/build-app.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { buildApp, fencedSource } from './build-app.js'

const redis = await useRedis(t)

async function build (t: Test, options: WriteBehindOptions, plugin: WriteBehindPluginOptions = {}): Promise<WriteBehind & { isEmpty: () => Promise<boolean> }> {
  const { app } = await buildApp(t, { redis: await connect(t, redis.url), prefix: freshPrefix(redis.prefix), ...plugin })
  const queue = app.writeBehind('things', { delay: 0, ...options })
  return Object.assign(queue, { isEmpty: async () => (await queue.stats()).depth === 0 })
}

t.test('a write waits, is given to who asks for it, and is saved with its version', async (t) => {
  const saves = gate()
  const seen: unknown[] = []
  const queue = await build(t, { save: async (id, value, { version }) => { seen.push({ id, value, version }); await saves.pass() } })
  const born = new Date(0)
  const { version, queued } = await queue.set('ada', { born })
  t.ok(Number.isSafeInteger(version))
  t.equal(queued, true)
  t.strictSame(await queue.pending('ada'), { id: 'ada', value: { born }, version })
  await saves.arrived()
  t.strictSame(seen, [{ id: 'ada', value: { born }, version }])
  t.ok(await queue.pending('ada'), 'until it is saved')
  saves.open()
  await eventually(queue.isEmpty)
  t.equal(await queue.pending('ada'), undefined)
})

t.test('of an id the versions rise strictly, and what is saved in the end is the last of them', async (t) => {
  const { rows, saves, options } = fencedSource()
  const queue = await build(t, options)
  const versions: number[] = []
  for (let round = 0; round < 20; round++) {
    versions.push(...(await Promise.all(Array.from({ length: 10 }, (_, n) => queue.set(7, round * 10 + n)))).map(({ version }) => version))
  }
  await eventually(queue.isEmpty)
  t.ok(versions.every((version, index) => index === 0 || version > versions[index - 1]!))
  t.strictSame(rows.get('7'), { value: 199, version: versions.at(-1) })
  t.ok(saves.length < 200, `in ${saves.length} saves`)
  t.ok(saves.every(({ version }, index) => index === 0 || version > saves[index - 1]!.version), 'and each newer than the one before')
  const { queued, coalesced, saved } = await queue.stats()
  t.equal(queued, 200)
  t.equal(saved, saves.length)
  t.ok(coalesced > 0 && coalesced >= 200 - saved, `${coalesced}`)
})

t.test('a delay collects the writes of an id', async (t) => {
  const { saves, options } = fencedSource()
  const queue = await build(t, { ...options, delay: 100 })
  for (let n = 1; n <= 50; n++) await queue.set('counter', n)
  await eventually(queue.isEmpty)
  t.ok(saves.length <= 10, `${saves.length} saves`)
  t.equal(saves.at(-1)!.value, 50)
})

t.test('a write waits its delay, and is saved as it is then', async (t) => {
  const saves: Array<{ value: unknown, at: number }> = []
  const queue = await build(t, { delay: 300, save: (_id, value) => { saves.push({ value, at: performance.now() }) } })
  // What is read when it is due can be of the same shard.
  await queue.set('id', 'first')
  await new Promise((resolve) => { setTimeout(resolve, 200) })
  const began = performance.now()
  await queue.set('other', 1)
  await new Promise((resolve) => { setTimeout(resolve, 200) })
  await queue.set('other', 2)
  await eventually(queue.isEmpty)
  t.strictSame(saves.map(({ value }) => value), ['first', 2])
  t.ok(saves[1]!.at - began >= 299)
})

t.test('several are saved together, and each for itself where that fails', async (t) => {
  const batches: Write[][] = []
  const alone: unknown[] = []
  const queue = await build(t, {
    delay: 100,
    save: (id) => { alone.push(id) },
    saveMany: (writes) => {
      batches.push(writes)
      if (writes.some(({ id }) => id === 'odd')) throw new Error('one of them is odd')
    }
  })
  await Promise.all(Array.from({ length: 300 }, (_, id) => queue.set(id, id)))
  await eventually(queue.isEmpty)
  t.ok(batches.some(({ length }) => length > 5))
  const before = alone.length
  await Promise.all(['odd', ...Array.from({ length: 300 }, (_, id) => id)].map((id) => queue.set(id, 'again')))
  await eventually(queue.isEmpty)
  t.ok(alone.slice(before).includes('odd'))
  t.equal((await queue.stats()).deadLetters, 0)
})

t.test('saveMany can say which of its writes failed', async (t) => {
  for (const failed of [new Map([['bad', new Error('no')]]), 'array'] as const) {
    const queue = await build(t, {
      attempts: 1,
      delay: 50,
      // On a busy machine one can come to be saved alone.
      save: (id) => { if (id === 'bad') throw new Error('no') },
      saveMany: (writes) => failed === 'array' ? writes.map(({ id }) => id === 'bad' ? new Error('no') : undefined) : failed
    })
    await Promise.all(['bad', ...Array.from({ length: 100 }, (_, id) => id)].map((id) => queue.set(id, 1)))
    await eventually(queue.isEmpty)
    t.match(await queue.deadLetters(), [{ id: 'bad', reason: 'Error: no' }])
  }
})

t.test('what cannot be queued is refused with a coded error, and nothing of it is kept', async (t) => {
  const queue = await build(t, { save: () => {}, maxBytes: 100 })
  for (const id of ['', NaN, Infinity, undefined, null, {}, 'x'.repeat(1_025), '\ud800']) {
    await t.rejects(queue.set(id as string, 1), { code: 'FST_HEADROOM_WRITE_BEHIND_ID' })
    await t.rejects(queue.pending(id as string), { code: 'FST_HEADROOM_WRITE_BEHIND_ID' })
  }
  await t.rejects(queue.set('a', () => {}), { code: 'FST_HEADROOM_WRITE_BEHIND_VALUE' })
  await t.rejects(queue.set('a', 'x'.repeat(101)), { code: 'FST_HEADROOM_WRITE_BEHIND_VALUE' })
  t.equal((await queue.stats()).queued, 0)
  await queue.set('{a}:b*c\n', 1)
  await queue.set('__proto__', 1)
  await eventually(queue.isEmpty)
})

t.test('what the caller goes on to change is not saved', async (t) => {
  const { rows, options } = fencedSource()
  const queue = await build(t, options)
  const value = { name: 'Ada' }
  const set = queue.set('id', value)
  value.name = 'changed'
  await set
  await eventually(queue.isEmpty)
  t.strictSame(rows.get('id')!.value, { name: 'Ada' })
})

t.test('a full queue makes a write wait, and then refuses it with 503 and Retry-After', async (t) => {
  const saves = gate()
  const queue = await build(t, { save: () => saves.pass(), limit: 16, batch: 1, fullTimeout: 100 })
  await Promise.all(Array.from({ length: 200 }, (_, id) => queue.set(id, 1).catch(() => {})))
  const full = { code: 'FST_HEADROOM_WRITE_BEHIND_FULL', statusCode: 503, headers: { 'retry-after': '1' } }
  const waiting = (await Promise.all(Array.from({ length: 200 }, async (_, id) => await queue.pending(id) === undefined ? undefined : id))).filter((id) => id !== undefined)
  t.equal(waiting.length, 16, 'one for each of sixteen shards')
  t.type((await queue.set(waiting[0]!, 'newer')).version, 'number', 'a write of what waits takes no room')
  await t.rejects(queue.set('one more', 1), full)
  t.ok((await queue.stats()).refused > 180)
  saves.open()
  t.type((await queue.set('one more', 1)).version, 'number')
  await eventually(queue.isEmpty)
})

t.test('each queue and each prefix has its own', async (t) => {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  const { app } = await buildApp(t, { redis: client, prefix })
  const { app: other } = await buildApp(t, { redis: client, prefix: freshPrefix(redis.prefix) })
  const saves = gate()
  const a = app.writeBehind('a', { save: saves.pass })
  const b = app.writeBehind('b', { save: saves.pass })
  const elsewhere = other.writeBehind('a', { save: saves.pass })
  await a.set('id', 'of a')
  t.equal(await b.pending('id'), undefined)
  t.equal(await elsewhere.pending('id'), undefined)
  t.throws(() => app.writeBehind('a', { save: () => {} }), { code: 'FST_HEADROOM_WRITE_BEHIND_OPTION' })
  saves.open()
})

t.test('several processes share the shards, and what is written by any is saved once', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const { rows, saves, options } = fencedSource()
  const queues: WriteBehind[] = []
  for (let n = 0; n < 4; n++) queues.push(await build(t, options, { prefix }))
  const shares = async (): Promise<number[]> => await Promise.all(queues.map(async (queue) => (await queue.stats()).shards))
  await eventually(async () => (await shares()).every((shards) => shards === 4))
  await Promise.all(Array.from({ length: 400 }, (_, n) => queues[n % 4]!.set(`${n}`, n)))
  await eventually(async () => (await queues[0]!.stats()).depth === 0)
  t.equal(rows.size, 400)
  t.equal(saves.length, 400)
  const saved = await Promise.all(queues.map(async (queue) => (await queue.stats()).saved))
  t.ok(saved.every((count) => count > 50), saved.join())
})
