import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { useRedis } from '../helpers/redis.js'
import { altered, buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'

const redis = await useRedis(t)

t.test('what was invalidated is not believed of an answer from before that comes just when Redis has been told', async (t) => {
  const client = await connect(t, redis.url)
  const held: Array<() => void> = []
  const state = { refuses: false, holds: false }
  const hold = async <T>(answer: Promise<T>): Promise<T> => {
    const value = await answer
    if (state.holds) await new Promise<void>((resolve) => { held.push(resolve) })
    return value
  }
  let turns = 0
  const app = await buildApp(t, {
    prefix: freshPrefix(redis.prefix),
    redis: altered(client, {
      async mgetBuffer (...keys) {
        if (!keys.at(-1)!.includes(':key')) return await client.mgetBuffer(...keys)
        const values = await hold(client.mgetBuffer(...keys))
        for (let turn = 0; turn < turns; turn++) await Promise.resolve()
        return values
      },
      async eval (script, keys, ...args) {
        if (!script.includes("redis.call('DEL', key)")) return await client.eval(script, keys, ...args)
        if (state.refuses) throw new Error('cannot be told')
        return await hold(client.eval(script, keys, ...args))
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
    await eventually(() => held.length === 1)
    // Has Redis told, before its value is loaded.
    const other = read(`other ${turns}`)
    await eventually(() => held.length === 2)
    state.holds = false
    for (const go of held.splice(0)) go()
    t.equal(await reading, 'new', `${turns} turns later`)
    await other
  }
})
