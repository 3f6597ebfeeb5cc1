import t, { type Test } from 'tap'
import type { WriteBehind, WriteBehindOptions, WriteBehindPluginOptions } from '../../plugins/write-behind/index.js'
import { connect, freshPrefix } from '../cache/build-app.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { ownRedis } from '../helpers/redis.js'
import { buildApp, fencedSource, type Built } from './build-app.js'

const server = await ownRedis(t)
const admin = await connect(t, server.url)

const unavailable = { code: 'FST_HEADROOM_WRITE_BEHIND_UNAVAILABLE', statusCode: 503, headers: { 'retry-after': '1' } }

async function build (t: Test, options: WriteBehindOptions, plugin: WriteBehindPluginOptions = {}): Promise<Built & { queue: WriteBehind }> {
  const built = await buildApp(t, { redis: await connect(t, server.url, { retryStrategy: () => 20 }), prefix: freshPrefix('away-'), commandTimeout: 100, ...plugin })
  return { ...built, queue: built.app.writeBehind('things', { delay: 0, ...options }) }
}

const emptied = async (queue: WriteBehind): Promise<void> => { await eventually(async () => (await queue.stats()).depth === 0) }

for (const [how, strike] of [['hangs', async () => { await server.pause(); return () => server.resume() }], ['is dead', async () => { await server.kill(); return () => server.restart() }]] as const) {
  t.test(`while Redis ${how}`, async (t) => {
    await t.test('a write is saved at once where save compares versions, and nothing older comes over it afterwards', async (t) => {
      const { rows, options } = fencedSource()
      const saves = gate()
      const { queue, app } = await build(t, { ...options, save: async (id, value, context) => { if (value === 'queued') await saves.pass(); await options.save(id, value, context) } })
      const before = await queue.set('id', 'queued')
      await saves.arrived()
      const mend = await strike()
      const began = performance.now()
      const { version, queued } = await queue.set('id', 'at once')
      t.ok(performance.now() - began < 1_000, 'in three command deadlines, and what the clocks may be apart')
      t.equal(queued, false)
      t.ok(version > before.version)
      t.strictSame(rows.get('id'), { value: 'at once', version })
      const soon = performance.now()
      await queue.set('id', 'at once again')
      t.ok(performance.now() - soon < 200, 'no command is waited for any more')
      await mend()
      saves.open()
      await eventually(async () => (await queue.set('other', 1)).queued)
      const later = await queue.set('id', 'later')
      t.ok(later.version > version)
      await emptied(queue)
      t.strictSame(rows.get('id'), { value: 'later', version: later.version })
      await app.close()
    })

    await t.test('of several writes of an id at once the last one is what the source has', async (t) => {
      const { rows, saves, options } = fencedSource()
      const { queue } = await build(t, options)
      await queue.set('id', 0)
      await emptied(queue)
      const mend = await strike()
      const versions = (await Promise.all(Array.from({ length: 100 }, (_, n) => queue.set('id', n)))).map(({ version }) => version)
      t.equal(rows.get('id')!.value, 99)
      t.ok(versions.every((version, index) => index === 0 || version >= versions[index - 1]!))
      t.ok(saves.length < 10, `in ${saves.length} saves`)
      await mend()
    })

    await t.test('a write is refused where it could come over a newer one, or a newer one be lost', async (t) => {
      const saved: unknown[] = []
      const { queue, log } = await build(t, { save: (_id, value) => { saved.push(value) } })
      const mend = await strike()
      await t.rejects(queue.set('id', 'refused'), unavailable)
      const began = performance.now()
      await t.rejects(queue.set('id', 'refused'), unavailable)
      await t.rejects(queue.pending('id'), unavailable)
      t.ok(performance.now() - began < 300)
      t.match(await queue.stats(), { depth: undefined, refused: 2 })
      await mend()
      await eventually(async () => await queue.set('id', 'kept').then(() => true, () => false))
      await emptied(queue)
      t.equal(saved.at(-1), 'kept')
      t.ok(log().some((line) => line.includes('Redis is away')))
    })

    await t.test('the app boots in two seconds, saves at once what it may, and queues when Redis is there', async (t) => {
      const mend = await strike()
      const { rows, options } = fencedSource()
      const { Redis } = await import('ioredis')
      const redis = new Redis(server.url, { retryStrategy: () => 20 })
      redis.on('error', () => {})
      t.teardown(() => { redis.disconnect() })
      const began = performance.now()
      const { app } = await buildApp(t, { redis, prefix: freshPrefix('away-'), commandTimeout: 100 })
      t.ok(performance.now() - began < 2_500)
      const queue = app.writeBehind('things', { ...options, delay: 0 })
      const { version, queued } = await queue.set('id', 'at once')
      t.equal(queued, false)
      await mend()
      await eventually(async () => (await queue.set('other', 1)).queued)
      t.ok((await queue.set('id', 'later')).version > version)
      await eventually(() => rows.get('id')!.value === 'later')
    })

    await t.test('the app closes in two seconds', async (t) => {
      const { queue, app } = await build(t, { save: () => {}, delay: '1m' })
      await queue.set('id', 1)
      const mend = await strike()
      const began = performance.now()
      await app.close()
      t.ok(performance.now() - began < 2_000)
      await mend()
    })
  })
}

t.test('what save throws where it is called at once is thrown to who wrote', async (t) => {
  const { queue } = await build(t, { fenced: true, save: () => { throw new Error('violates a constraint') } })
  await server.pause()
  await t.rejects(queue.set('id', 1), { message: 'violates a constraint' })
  await server.resume()
})

t.test('while Redis takes no writes but is there', async (t) => {
  const full = async (): Promise<void> => { await admin.config('SET', 'maxmemory', '1') }
  const mend = async (): Promise<void> => { await admin.config('SET', 'maxmemory', '0') }
  t.teardown(mend)

  await t.test('a write is saved at once when none of its id waits, also where save compares nothing', async (t) => {
    const saved: unknown[] = []
    const { queue } = await build(t, { save: (_id, value) => { saved.push(value) } })
    await full()
    t.match(await queue.set('id', 'at once'), { queued: false })
    t.strictSame(saved, ['at once'])
    await mend()
    t.match(await queue.set('id', 'queued'), { queued: true })
    await emptied(queue)
    t.strictSame(saved, ['at once', 'queued'])
  })

  await t.test('and refused while one waits', async (t) => {
    const saves = gate()
    const { queue } = await build(t, { save: saves.pass })
    await queue.set('id', 'waits')
    await full()
    await t.rejects(queue.set('id', 'newer'), unavailable)
    t.equal((await queue.pending('id'))!.value, 'waits')
    saves.open()
    await emptied(queue)
    await mend()
  })
})

t.test('what Redis took without a word is saved once more at most, and the write is kept', async (t) => {
  const { rows, options } = fencedSource()
  const { queue } = await build(t, options)
  await queue.set('id', 'before')
  await emptied(queue)
  // The script arrives, and is run when the server goes on: before its deadline, or it does nothing.
  await server.pause()
  const set = queue.set('id', 'kept')
  setTimeout(() => { void server.resume() }, 60)
  const { version } = await set
  await emptied(queue)
  t.equal(rows.get('id')!.value, 'kept')
  t.ok(rows.get('id')!.version >= version)
})

t.test('a Redis that is full of what waits is emptied by whoever comes', async (t) => {
  const prefix = freshPrefix('full-')
  const first = await build(t, { save: () => {}, delay: '1h' }, { prefix, drainTimeout: 0 })
  for (let id = 0; id < 50; id++) await first.queue.set(id, id)
  await first.app.close()
  await admin.config('SET', 'maxmemory', '1')
  t.teardown(() => admin.config('SET', 'maxmemory', '0'))
  const saved = new Set<unknown>()
  const dead: unknown[] = []
  const { queue } = await build(t, {
    attempts: 2,
    retry: { first: 1, longest: 1 },
    save: (id) => {
      if (id === 7) throw new Error('violates a constraint')
      saved.add(id)
    },
    onDead: ({ id }) => { dead.push(id) }
  }, { prefix })
  await emptied(queue)
  t.strictSame([saved.size, dead], [49, [7]])
})

t.test('what was saved at once makes what died before it superseded', async (t) => {
  t.teardown(() => admin.config('SET', 'maxmemory', '0'))
  const saves: unknown[] = []
  const { queue } = await build(t, { attempts: 1, save: (_id, value) => { saves.push(value); if (value === 'dies') throw new Error('no') } })
  await queue.set('id', 'dies')
  await emptied(queue)
  await admin.config('SET', 'maxmemory', '1')
  await queue.set('id', 'newer')
  await admin.config('SET', 'maxmemory', '0')
  const [letter] = await queue.deadLetters()
  t.equal(letter!.superseded, true)
  t.equal(await queue.replay(letter!.letter), 'superseded')
  t.strictSame(saves, ['dies', 'newer'])
})

t.test('a hot id goes back to the queue when Redis is back, though its writes overlap', async (t) => {
  const { options } = fencedSource()
  const { queue } = await build(t, { ...options, save: async (id, value, context) => { await new Promise((resolve) => { setTimeout(resolve, 20) }); await options.save(id, value, context) } })
  await queue.set('id', 0)
  await emptied(queue)
  await server.pause()
  let isQueued = false
  let value = 0
  const all: Array<Promise<unknown>> = []
  const writing = setInterval(() => { all.push(queue.set('id', ++value).then(({ queued }) => { isQueued = queued })) }, 5)
  await eventually(async () => (await queue.stats()).direct > 3)
  await server.resume()
  await eventually(() => isQueued)
  clearInterval(writing)
  await Promise.all(all)
})
