import { Cluster } from 'ioredis'
import t, { type Test } from 'tap'
import { redisKeys } from '../../plugins/cache/keys.js'
import { ANY_TAG, EVERYTHING } from '../../plugins/shared/redis-tags.js'
import { eventually } from '../helpers/eventually.js'
import { ownCluster } from '../helpers/redis.js'
import { buildApp, connect, freshPrefix } from './build-app.js'

/** Where the slots of each of the three masters begin. */
const FIRST_SLOTS = [0, 5_461, 10_922]
const ids = Array.from({ length: 60 }, (_, id) => id)
const key = (id: number) => `user:${id}`

const { nodes, startupNodes } = await ownCluster(t, { replicas: 0 })

/** An app without memory, and the place of the node that has what of its Redis. */
async function scene (t: Test) {
  const client = new Cluster(startupNodes)
  client.on('error', () => {})
  t.teardown(() => { client.disconnect() })
  await new Promise((resolve) => { client.once('ready', resolve) })
  const prefix = freshPrefix('cluster')
  const keys = redisKeys(prefix)
  const nodeOf = async (key: string): Promise<number> => {
    const slot = await client.cluster('KEYSLOT', key)
    return FIRST_SLOTS.findLastIndex((first) => first <= slot)
  }
  const { cache } = await buildApp(t, { redis: client, prefix, memory: false, commandTimeout: 250 })
  return {
    cache,
    client,
    nodeOfValue: (key: string) => nodeOf(keys.value(key)),
    /** Whether what other processes say comes to this one through the node. */
    async hearsThrough (place: number): Promise<boolean> {
      let subscribers: number[] = []
      await eventually(async () => {
        subscribers = await Promise.all(nodes.map(async ({ url }) => {
          const [, count] = await (await connect(t, url)).call('PUBSUB', 'NUMSUB', `${prefix}:cache`) as [string, number]
          return count
        }))
        return subscribers.some((count) => count > 0)
      })
      return subscribers[place]! > 0
    },
    nodeOfEverything: await nodeOf(keys.tag(EVERYTHING)),
    nodeOfAny: await nodeOf(keys.tag(ANY_TAG))
  }
}

for (const [which, next] of [['that has not the generation of everything', 1], ['that has the generation of everything', 0]] as const) {
  t.test(`while a node of a Cluster hangs ${which}`, async (t) => {
    let { cache, nodeOfValue, nodeOfEverything, hearsThrough } = await scene(t)
    // Heard through the node that hangs, the others are not heard for a while, and nothing is known for sure any more.
    while (await hearsThrough((nodeOfEverything + next) % 3)) ({ cache, nodeOfValue, nodeOfEverything, hearsThrough } = await scene(t))
    const ask = async (label: string) => {
      const asked: number[] = []
      const values = await cache.getMany(ids, { key, load: (missing) => { asked.push(...missing); return missing.map((id) => `${label} ${id}`) } })
      return { asked, values }
    }
    t.strictSame((await ask('kept')).asked, ids)
    await eventually(async () => (await ask('again')).asked.length === 0)

    const hung = (nodeOfEverything + next) % 3
    const places = await Promise.all(ids.map((id) => nodeOfValue(key(id))))
    const lost = ids.filter((id) => places[id] === hung)
    t.ok(lost.length > 0 && lost.length < ids.length)
    await nodes[hung]!.pause()
    t.teardown(() => nodes[hung]!.resume())

    const { asked, values } = await ask('first')
    t.strictSame(asked, lost, 'a batch has what the other nodes have, and loads what is on the one that hangs, and nothing else')
    t.strictSame(values, ids.map((id) => `${lost.includes(id) ? 'first' : 'kept'} ${id}`))
    for (const next of ['next', 'last']) t.strictSame((await ask(next)).asked, lost, 'so does the batch after it')
  })
}

t.test('while a node of a Cluster is dead, and when it is back, what was set on the others before and meanwhile is given out', async (t) => {
  const { cache, client, nodeOfValue, nodeOfEverything, nodeOfAny } = await scene(t)
  for (const node of client.nodes('master')) await node.config('SET', 'cluster-require-full-coverage', 'no')
  // With one of those dead nothing can be kept once the others were not heard for a moment: what was invalidated then, nobody knows.
  const dead = [0, 1, 2].find((node) => node !== nodeOfEverything && node !== nodeOfAny)!
  const well: string[] = []
  for (const id of ids) if (await nodeOfValue(key(id)) !== dead) well.push(key(id))
  const [before, since] = [well.slice(0, 15), well.slice(15, 30)]
  const given = async (): Promise<unknown[]> => await Promise.all([...before, ...since].map((key) => cache.get(key)))
  const all = [...before.map(() => 'before'), ...since.map(() => 'since')]
  await eventually(async () => (await cache.set(before[0]!, 'before', { ttl: '1h' })).shared)
  for (const key of before) t.strictSame(await cache.set(key, 'before', { ttl: '1h' }), { shared: true })

  await nodes[dead]!.kill()
  let reconnected = 0
  client.on('+node', () => { reconnected++ })
  await eventually(() => reconnected > 10)
  for (const key of since) t.strictSame(await cache.set(key, 'since', { ttl: '1h' }), { shared: true })
  t.strictSame(await given(), all)

  await nodes[dead]!.restart()
  const lost = ids.map(key).filter((key) => !well.includes(key))
  await eventually(async () => (await cache.set(lost[0]!, 1)).shared, 10_000)
  // In which all is told again that another server may not have heard of.
  const back = performance.now()
  await eventually(async () => {
    t.strictSame(await given(), all)
    return performance.now() - back > 2_000
  })
})
