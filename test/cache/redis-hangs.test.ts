import t, { type Test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { altered, buildApp, connect, freshPrefix, trustsMemory, type Built } from './build-app.js'

const redis = await useRedis(t)

/** A client that hangs, as often as it is told to, from its nth command on. */
async function hanging (t: Test) {
  const client = await connect(t, redis.url)
  const state = { passes: Infinity, hung: 0 }
  const pass = async <T>(command: () => Promise<T>): Promise<T> => {
    if (state.passes-- > 0) return await command()
    state.hung++
    return await new Promise<never>(() => {})
  }
  const altering = altered(client, {
    getBuffer: (key) => pass(() => client.getBuffer(key)),
    mgetBuffer: (...keys) => pass(() => client.mgetBuffer(...keys)),
    // What has no deadline in it is the release of a lease, which nobody waits for.
    eval: (script, ...args) => state.passes <= 0 && !script.includes('TIME') ? new Promise(() => {}) : pass(() => client.eval(script, ...args))
  })
  return { client: altering, state }
}

t.test('wherever in a miss Redis begins to hang, the caller waits for one command, and has what was loaded', async (t) => {
  const options = { ttl: '1h', tags: ['of the call'] }
  let most = 0
  for (let passes = 0; passes < 6; passes++) {
    const { client, state } = await hanging(t)
    const app = await buildApp(t, { redis: client, prefix: freshPrefix(redis.prefix), commandTimeout: 200 })
    await app.cache.getOrSet('warm-up', () => 1)
    state.passes = passes
    t.equal(await app.cache.getOrSet('a', ({ tags }) => { tags('of the load'); return 'loaded' }, options), 'loaded')
    t.ok(state.hung <= 1, `${state.hung} commands waited for, when ${passes} were answered`)
    most = Math.max(most, passes - Math.max(state.passes, 0))
  }
  t.ok(most >= 4, 'a read, the generations, the lease, the write')
})

const TIMEOUT = 300

for (const what of ['a save', 'a second delete of the key', 'a read of many of which some were not told']) {
  t.test(`${what} waits for one command at most of a Redis that hangs`, async (t) => {
    const { client, state } = await hanging(t)
    const app = await buildApp(t, { redis: client, prefix: freshPrefix(redis.prefix), commandTimeout: TIMEOUT })
    await app.cache.set('warm-up', 1)
    const users = app.cache.resource('user', { load: () => 1, write: 'through', save: () => {} })
    state.passes = 0
    let at = performance.now()
    if (what === 'a save') await users.set(1, 2)
    else if (what === 'a second delete of the key') {
      const first = app.cache.delete('a')
      await Promise.all([first, app.cache.delete('a')])
    } else {
      await app.cache.delete('a')
      at = performance.now()
      await app.cache.getMany(['a', 'b'], { key: (id) => id, load: (ids) => ids })
    }
    const took = performance.now() - at
    t.ok(took < 1.5 * TIMEOUT, `${took} ms`)
  })
}

for (const [what, call] of [
  ['a set with a tag that is not known yet', ({ cache }) => cache.set('a', 1, { tags: ['another'] })],
  ['a save of a resource with such a tag', ({ cache }) => cache.resource('user', { load: () => 1, write: 'through', save: () => {}, tags: ['another'] }).set(1, 2)],
  ['a refresh of one', ({ cache }) => cache.resource('user', { load: () => 1, tags: ['another'] }).refresh(1)],
  ['a load that keeps nothing in the place of a stale value', ({ cache }) => cache.getOrSet('stale', ({ ttl, tags }) => {
    ttl(0)
    tags('of the load')
    return 1
  }, { tags: ['another'] })]
] satisfies Array<[string, (app: Built) => Promise<unknown>]>) {
  t.test(`wherever in ${what} Redis begins to hang, the caller waits for one command`, async (t) => {
    for (let passes = 0; passes < 5; passes++) {
      const { client, state } = await hanging(t)
      const app = await buildApp(t, { redis: client, prefix: freshPrefix(redis.prefix), commandTimeout: TIMEOUT })
      await app.cache.set('stale', 1, { ttl: 1_000, stale: '1h' })
      app.clock.milliseconds += 2_000
      state.passes = passes
      const at = performance.now()
      await call(app)
      const took = performance.now() - at
      t.ok(took < 1.5 * TIMEOUT, `${took} ms, when ${passes} commands were answered`)
    }
  })
}

t.test('who waits for the load of another process does not wait for a Redis that hangs', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const a = await buildApp(t, { redis: await connect(t, redis.url), prefix, lease: '1m' })
  const { client, state } = await hanging(t)
  const b = await buildApp(t, { redis: client, prefix, lease: '1m', commandTimeout: 100 })
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass)
  await held.arrived()
  const there = b.cache.getOrSet('a', () => 'loaded here')
  await eventually(() => b.cache.stats().loadsElsewhere === 1)
  state.passes = 0
  t.equal(await b.cache.getOrSet('another', () => 'loaded'), 'loaded')
  t.equal(await there, 'loaded here')
  held.open('loaded there')
  await here
})

t.test('with strict, what Redis could not be told of rejects, and Redis is told all the same when it answers', async (t) => {
  const { client, state } = await hanging(t)
  const prefix = freshPrefix(redis.prefix)
  const app = await buildApp(t, { redis: client, prefix, strict: true, commandTimeout: 50 })
  const other = await buildApp(t, { redis: await connect(t, redis.url), prefix, memory: false })
  for (const key of ['deleted', 'set']) t.strictSame(await app.cache.set(key, 'old', { tags: ['tag'] }), { shared: true })
  await other.cache.set('tagged', 'old', { tags: ['tag'] })
  state.passes = 0
  const UNSHARED = { code: 'FST_HEADROOM_CACHE_UNSHARED', statusCode: 503 }
  await t.rejects(app.cache.delete('deleted'), UNSHARED)
  await t.rejects(app.cache.set('set', 'new'), UNSHARED)
  await t.rejects(app.cache.invalidateTags('tag'), UNSHARED)
  await t.rejects(app.cache.clear(), UNSHARED)
  state.passes = Infinity
  await eventually(async () => {
    const kept = await Promise.all(['deleted', 'set', 'tagged'].map((key) => other.cache.has(key)))
    return !kept.includes(true)
  })
  t.strictSame(await app.cache.set('set', 'newest'), { shared: true })
})
