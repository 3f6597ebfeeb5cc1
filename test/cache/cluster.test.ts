import { Cluster } from 'ioredis'
import t from 'tap'
import { useCluster } from '../helpers/redis.js'
import { buildApp } from './build-app.js'

/** Where the slots of each of the three masters begin. */
const FIRST_SLOTS = [0, 5_461, 10_922]
const ids = Array.from({ length: 60 }, (_, id) => id)
const key = (id: number) => `user:${id}`

t.test('while a node of a Cluster hangs', async (t) => {
  const { nodes, startupNodes } = await useCluster(t, { replicas: 0 })
  const client = new Cluster(startupNodes)
  t.teardown(() => { client.disconnect() })
  await new Promise((resolve) => { client.once('ready', resolve) })
  const masterOf = async (key: string): Promise<number> => {
    const slot = await client.cluster('KEYSLOT', key)
    return FIRST_SLOTS.findLastIndex((first) => first <= slot)
  }
  const { cache } = await buildApp(t, { redis: client, memory: false, commandTimeout: 250 })
  const ask = async (label: string) => {
    const asked: number[] = []
    const values = await cache.getMany(ids, { key, load: (missing) => { asked.push(...missing); return missing.map((id) => `${label} ${id}`) } })
    return { asked, values }
  }
  t.strictSame((await ask('kept')).asked, ids)
  t.strictSame((await ask('again')).asked, [], 'Redis has them all')

  const hung = (await masterOf('headroom:cache-tag:%00everything') + 1) % 3
  const masters = await Promise.all(ids.map((id) => masterOf(`headroom:cache:${key(id)}`)))
  const lost = ids.filter((id) => masters[id] === hung)
  t.ok(lost.length > 0 && lost.length < ids.length)
  await nodes[hung]!.pause()
  t.teardown(() => nodes[hung]!.resume())

  for (const [label, title] of [['first', 'a batch has what the other nodes have, and loads what is on the one that hangs, and nothing else'], ['next', 'so does the batch after it']] as const) {
    await t.test(title, async (t) => {
      const { asked, values } = await ask(label)
      t.strictSame(asked, lost)
      t.strictSame(values, ids.map((id) => `${lost.includes(id) ? label : 'kept'} ${id}`))
    })
  }
})
