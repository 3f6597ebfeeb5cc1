import t, { type Test } from 'tap'
import type { RedisTier } from '../../plugins/shared/redis-tier.js'
import type { Held } from '../../plugins/shared/tier.js'
import { altered, connect } from '../cache/build-app.js'
import { nextRelease } from '../cache/next-release.js'
import { useRedis } from '../helpers/redis.js'
import { buildRedisTier, noticeOf } from './redis-tier.js'

const redis = await useRedis(t)

async function build (t: Test, options: { memoryOfDeletes?: number } = {}) {
  const client = await connect(t, redis.url)
  return { client, ...buildRedisTier({ client, base: redis.prefix, ...options }) }
}

async function state (tier: RedisTier, key: string) {
  return (await tier.read([key])).states[0]!
}

async function stampAt (tier: RedisTier, key: string): Promise<Buffer> {
  return (await state(tier, key)).stamp!
}

function held (text: string, fresh = 60_000): Held<Uint8Array> {
  const freshUntil = Date.now() + fresh
  return { value: Buffer.from(text), freshUntil, keptUntil: freshUntil, loadTime: 0, tags: [] }
}

t.test('what is not there, is there, or was deleted is told apart', async (t) => {
  const { tier } = await build(t)
  t.equal((await state(tier, 'a')).opened.kind, 'absent')
  await tier.set('a', held('bytes'))
  t.match((await state(tier, 'a')).opened, { kind: 'value', held: { value: Buffer.from('bytes') } })
  await tier.delete('a')
  t.equal((await state(tier, 'a')).opened.kind, 'tombstone')
})

t.test('a conditional write happens only on the state that was read', async (t) => {
  const { tier } = await build(t)
  const write = async (stamp: Buffer, text: string) => (await tier.writeIfUnchanged([{ key: 'a', stamp, held: held(text) }]))[0]
  const yes = { status: 'fulfilled', value: true }
  const no = { status: 'fulfilled', value: false }
  const absent = await stampAt(tier, 'a')
  t.strictSame(await write(absent, '1'), yes)
  t.strictSame(await write(absent, '2'), no)
  const first = await stampAt(tier, 'a')
  await tier.set('a', held('1'))
  t.strictSame(await write(first, '3'), no, 'the same value written again is another state')
  const second = await stampAt(tier, 'a')
  t.strictSame(await write(second, '4'), yes)
  await tier.delete('a')
  const deleted = await stampAt(tier, 'a')
  await tier.delete('a')
  t.strictSame(await write(deleted, '5'), no, 'and so is a second delete')
})

t.test('what a later release wrote has no stamp, and so is not written over; its tombstone is one', async (t) => {
  const { tier, client, prefix } = await build(t)
  const { tier: newer } = buildRedisTier({ client: nextRelease(client), base: redis.prefix, prefix })
  await newer.set('a', held('newer'))
  t.match(await state(tier, 'a'), { opened: { kind: 'newer' }, stamp: undefined })
  t.equal(await tier.get('a'), undefined)
  t.equal(Buffer.from((await newer.get('a'))!.value).toString(), 'newer')
  await newer.delete('a')
  t.equal((await state(tier, 'a')).opened.kind, 'tombstone')
  t.strictSame(await tier.writeIfUnchanged([{ key: 'a', stamp: await stampAt(tier, 'a'), held: held('older') }]), [{ status: 'fulfilled', value: true }])
  t.equal(Buffer.from((await newer.get('a'))!.value).toString(), 'older')
})

t.test('of many conditional writes each has its own answer, in the order asked', async (t) => {
  const { tier } = await build(t)
  const absent = await stampAt(tier, 'a')
  const keys = Array.from({ length: 1_000 }, (_, index) => String(index))
  await Promise.all(keys.filter((_, index) => index % 7 === 0).map((key) => tier.set(key, held('newer'))))
  const results = await tier.writeIfUnchanged(keys.map((key, index) => ({ key, stamp: absent, held: held(index % 100 === 0 ? 'x'.repeat(200_000) : key) })))
  t.strictSame(results, keys.map((_, index) => ({ status: 'fulfilled', value: index % 7 !== 0 })))
  t.equal(Buffer.from((await tier.get('1'))!.value).toString(), '1')
  t.equal(Buffer.from((await tier.get('7'))!.value).toString(), 'newer')
})

t.test('a replacement is written only on the state that was read, and else nobody has a value', async (t) => {
  const { tier } = await build(t)
  const absent = await stampAt(tier, 'a')
  t.equal(await tier.replace('a', absent, held('1')), true)
  t.equal(Buffer.from((await tier.get('a'))!.value).toString(), '1')
  t.equal(await tier.replace('a', absent, held('2')), false)
  t.equal((await state(tier, 'a')).opened.kind, 'tombstone')
})

t.test('what is of another type than values are is written over, as if nothing stood there, and disturbs no other write', async (t) => {
  const { tier, client, keyOf } = await build(t)
  const put = async (key: string) => await client.rpush(keyOf(key), 'x')
  await put('b')
  const { states } = await tier.read(['a', 'b', 'c'])
  const results = await tier.writeIfUnchanged(['a', 'b', 'c'].map((key, index) => ({ key, stamp: states[index]!.stamp!, held: held(key) })))
  t.strictSame(results, ['a', 'b', 'c'].map(() => ({ status: 'fulfilled', value: true })))
  for (const key of ['a', 'b', 'c']) t.equal(Buffer.from((await tier.get(key))!.value).toString(), key)
  await put('d')
  t.equal(await tier.replace('d', await stampAt(tier, 'd'), held('d')), true)
  await put('e')
  t.equal(await tier.replace('e', await stampAt(tier, 'a'), held('e')), false)
  t.equal((await state(tier, 'e')).opened.kind, 'tombstone')
})

t.test('whatever is written outlives the longest load, so that no stamp comes true again', async (t) => {
  const { tier, client, keyOf } = await build(t, { memoryOfDeletes: 60_000 })
  const remaining = async (key: string) => await client.pttl(keyOf(key))
  await tier.set('short', held('x', 1_000))
  await tier.writeIfUnchanged([{ key: 'conditional', stamp: Buffer.alloc(0), held: held('x', 1_000.5) }])
  await tier.replace('replaced', Buffer.alloc(0), held('x', 1_000))
  await tier.delete('deleted')
  for (const key of ['short', 'conditional', 'replaced', 'deleted']) {
    const left = await remaining(key)
    t.ok(left > 50_000 && left <= 70_000, key)
  }
  await tier.set('long', held('x', 3_600_000))
  t.ok(await remaining('long') > 3_500_000)
})

t.test('a write, a replacement, a delete and an invalidation are published, a conditional write is not', async (t) => {
  const { tier, client, channel } = await build(t)
  const subscriber = client.duplicate()
  t.teardown(() => subscriber.disconnect())
  const messages: string[] = []
  const last = new Promise<void>((resolve) => {
    subscriber.on('message', (_channel: string, message: string) => {
      messages.push(message)
      if (message === 'invalidated') resolve()
    })
  })
  await subscriber.subscribe(channel)
  await tier.set('a', held('x'))
  await tier.writeIfUnchanged([{ key: 'a', stamp: await stampAt(tier, 'a'), held: held('y') }])
  await tier.replace('b', Buffer.alloc(0), held('x'))
  await tier.delete('c')
  await tier.tags.invalidate(['x', 'y'], () => noticeOf('invalidated'))
  await last
  t.strictSame(messages, ['message for a', 'message for b', 'message for c', 'invalidated'])
})

t.test('what is read in one turn of the event loop is one command, and each key in it once', async (t) => {
  const client = await connect(t, redis.url)
  const asked: string[][] = []
  const { tier } = buildRedisTier({ client: altered(client, { mgetBuffer: async (...keys) => { asked.push(keys); return await client.mgetBuffer(...keys) } }), base: redis.prefix })
  await tier.set('a', held('a'))
  const reads = await Promise.all([tier.read(['a', 'b']), tier.read(['a']), tier.tags.read(['t']), tier.tags.read(['t', 'u'])])
  t.equal(asked.length, 1)
  t.equal(asked[0]!.length, 4)
  t.strictSame(reads[0].states.map(({ opened }) => opened.kind), ['value', 'absent'])
  t.strictSame(reads[1].states.map(({ opened }) => opened.kind), ['value'])
  await Promise.all(Array.from({ length: 450 }, (_, index) => tier.read([String(index)])))
  await tier.read(Array.from({ length: 600 }, (_, index) => String(index)))
  t.strictSame(asked.slice(1).map((keys) => keys.length), [256, 194, 256, 256, 88])
})
