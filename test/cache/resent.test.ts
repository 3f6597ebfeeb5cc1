import t, { type Test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { ownRedis } from '../helpers/redis.js'
import { startProxy } from '../helpers/tcp-proxy.js'
import { altered, buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'

/**
 * Two apps over one Redis. Of the second one's next script that has `part` in it Redis' answer is lost with the connection, so
 * that its client sends it again, as soon as it is let.
 */
async function scene (t: Test) {
  const server = await ownRedis(t)
  const proxy = await startProxy(t, server.url)
  const prefix = freshPrefix('resent')
  const client = await connect(t, proxy.url, { retryStrategy: () => 20 })
  const state = { part: undefined as string | undefined, sent: 0 }
  const redis = altered(client, {
    async eval (script, keys, ...args) {
      if (state.part !== undefined && script.includes(state.part)) {
        if (state.sent++ === 0) proxy.cutAfter(0, 'toClient')
      }
      return await client.eval(script, keys, ...args)
    }
  })
  const a = await buildApp(t, { redis: await connect(t, server.url), prefix })
  const b = await buildApp(t, { redis, prefix })
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  return { a, b, prefix, direct: await connect(t, server.url), loseAnswerTo: (part: string) => { state.part = part }, sendAgain: () => { proxy.cutAfter(Infinity, 'toClient') }, sent: () => state.sent }
}

t.test('a set that was carried out, seen and deleted does not come back when its client sends it again', async (t) => {
  const { a, b, loseAnswerTo, sendAgain, sent } = await scene(t)
  loseAnswerTo("redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])")
  const setting = b.cache.set('key', 'old', { ttl: '1h' })
  await eventually(async () => await a.cache.get('key') === 'old')
  t.strictSame(await a.cache.delete('key'), { shared: true })
  t.equal(await a.cache.get('key'), undefined)
  t.equal(sent(), 1)
  sendAgain()
  t.strictSame(await setting, { shared: true })
  t.strictSame([await a.cache.get('key'), await b.cache.get('key')], [undefined, undefined])
})

t.test('what was invalidated does not come back when the client that made the generation of its tag asks for it again', async (t) => {
  const { a, b, prefix, direct, loseAnswerTo, sendAgain, sent } = await scene(t)
  loseAnswerTo('generations[i]')
  const other = b.cache.getOrSet('other', () => 1, { ttl: '1h', tags: ['tag'] })
  await eventually(async () => await direct.exists(`${prefix}:cache-tag:tag`) === 1)
  let source = 'old'
  const read = ({ cache }: typeof a): Promise<string> => cache.getOrSet('key', () => source, { ttl: '1h', tags: ['tag'] })
  t.equal(await read(a), 'old')
  source = 'new'
  t.strictSame(await a.cache.invalidateTags('tag'), { shared: true })
  t.equal(sent(), 1)
  sendAgain()
  await other
  t.strictSame([await read(b), await read(a)], ['new', 'new'])
})
