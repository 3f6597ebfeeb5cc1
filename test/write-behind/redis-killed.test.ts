import t, { type Test } from 'tap'
import type { WriteBehind } from '../../plugins/write-behind/index.js'
import { connect, freshPrefix } from '../cache/build-app.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { ownRedis } from '../helpers/redis.js'
import { buildApp, fencedSource } from './build-app.js'

async function build (t: Test, url: string) {
  const client = await connect(t, url, { retryStrategy: () => 20 })
  const { app } = await buildApp(t, { redis: client, prefix: freshPrefix('killed-'), commandTimeout: 200 })
  const source = fencedSource()
  const saves = gate()
  const queue: WriteBehind = app.writeBehind('things', {
    ...source.options,
    delay: 0,
    save: async (id, value, context) => {
      await saves.pass()
      await source.options.save(id, value, context)
    }
  })
  return { ...source, saves, queue, client }
}

t.test('what a Redis with appendfsync always has acknowledged is saved after it was killed', async (t) => {
  const server = await ownRedis(t, { persist: true })
  const { rows, saves, queue } = await build(t, server.url)
  const acknowledged = new Map<string, number>()
  const writing = Promise.all(Array.from({ length: 300 }, async (_, id) => {
    const { version, queued } = await queue.set(id, id)
    if (queued) acknowledged.set(String(id), version)
  }))
  await eventually(() => acknowledged.size > 50)
  await server.kill()
  saves.open()
  await writing
  await server.restart()
  await eventually(async () => (await queue.stats()).depth === 0)
  t.equal(rows.size, 300, 'those that came while it was dead were saved at once')
  t.ok([...acknowledged].every(([id, version]) => rows.get(id)!.version >= version))
})

t.test('without persistence versions rise all the same', async (t) => {
  const server = await ownRedis(t)
  const { rows, saves, queue, client } = await build(t, server.url)
  const before = await queue.set('id', 'before')
  await server.kill()
  await server.restart()
  await eventually(() => client.status === 'ready')
  saves.open()
  await eventually(async () => (await queue.set('id', 'after')).queued)
  const after = await queue.set('id', 'last')
  t.ok(after.version > before.version)
  await eventually(() => rows.get('id')?.value === 'last')
})
