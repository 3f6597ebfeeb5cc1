import t from 'tap'
import { redisKeys } from '../../plugins/cache/keys.js'
import { eventually } from '../helpers/eventually.js'
import { useRedis } from '../helpers/redis.js'
import { altered, buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'

const redis = await useRedis(t)

t.test('what was invalidated is not believed of an answer from before that comes just when Redis has been told', async (t) => {
  const client = await connect(t, redis.url)
  const held: Record<'read' | 'told', Array<() => void>> = { read: [], told: [] }
  const state = { refuses: false, holds: false }
  const hold = async <T>(kind: keyof typeof held, answer: Promise<T>): Promise<T> => {
    const value = await answer
    if (state.holds) await new Promise<void>((resolve) => { held[kind].push(resolve) })
    return value
  }
  let turns = 0
  const app = await buildApp(t, {
    prefix: freshPrefix(redis.prefix),
    redis: altered(client, {
      async mgetBuffer (...keys) {
        if (!keys.at(-1)!.includes(':key')) return await client.mgetBuffer(...keys)
        const values = await hold('read', client.mgetBuffer(...keys))
        for (let turn = 0; turn < turns; turn++) await Promise.resolve()
        return values
      },
      async eval (script, keys, ...args) {
        if (!script.includes("redis.call('DEL', key)")) return await client.eval(script, keys, ...args)
        if (state.refuses) throw new Error('cannot be told')
        return await hold('told', client.eval(script, keys, ...args))
      }
    })
  })
  await trustsMemory(app)
  // The two answers come in one piece: by so many turns of the queue of microtasks the one to the read is dealt with later.
  for (; turns < 25; turns++) {
    const [key, tag] = [`key ${turns}`, `tag ${turns}`]
    let source = 'old'
    const read = (key: string): Promise<string> => app.cache.getOrSet(key, () => source, { ttl: '1h', tags: [tag] })
    await read(key)
    source = 'new'
    state.refuses = true
    t.strictSame(await app.cache.invalidateTags(tag), { shared: false })
    state.refuses = false
    state.holds = true
    const reading = read(key)
    await eventually(() => held.read.length >= 1)
    // Has Redis told before its value is loaded, where the retry in the background has not done so.
    const other = read(`other ${turns}`)
    await eventually(() => held.told.length >= 1)
    state.holds = false
    for (const go of [...held.read.splice(0), ...held.told.splice(0)]) go()
    t.equal(await reading, 'new', `${turns} turns later`)
    await other
  }
})

t.test('what was deleted is not believed of an answer from before that comes when another server has been told of it', async (t) => {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  const held: Array<() => void> = []
  const state = { holds: false }
  let turns = 0
  let id = 'a'
  const app = await buildApp(t, {
    prefix,
    memory: false,
    redis: altered(client, {
      info: async () => `master_replid:${id.repeat(40)}`,
      async mgetBuffer (...keys) {
        const values = await client.mgetBuffer(...keys)
        if (!state.holds) return values
        await new Promise<void>((resolve) => { held.push(resolve) })
        for (let turn = 0; turn < turns; turn++) await Promise.resolve()
        return values
      },
      async eval (script, ...args) {
        const answer = await client.eval(script, ...args)
        if (state.holds) await new Promise<void>((resolve) => { held.push(resolve) })
        return answer
      }
    })
  })
  await eventually(async () => (await app.cache.set('warm-up', 1)).shared)
  for (; turns < 25; turns++) {
    const key = `key ${turns}`
    const name = redisKeys(prefix).value(key)
    await app.cache.set(key, 'old', { ttl: '1h' })
    const before = await client.getBuffer(name)
    await app.cache.delete(key)
    // The one that takes its place has not heard of the delete.
    await client.set(name, before!)
    state.holds = true
    const reading = app.cache.get(key)
    await eventually(() => held.length >= 1)
    id = id === 'a' ? 'b' : 'a'
    client.emit('ready')
    await eventually(() => held.length >= 2)
    state.holds = false
    for (const go of held.splice(0)) go()
    t.equal(await reading, undefined, `${turns} turns later`)
  }
})
