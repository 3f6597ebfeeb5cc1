import { createHook } from 'node:async_hooks'
import t from 'tap'
import { buildApp } from './build-app.js'

const load = (): { name: string, roles: string[] } => ({ name: 'Ada', roles: ['admin'] })
const options = { ttl: '1h' } as const

t.test('a hit in memory makes no promise: all callers have the entry\'s own', async (t) => {
  const { cache } = await buildApp(t)
  await cache.getOrSet('a', load, options)
  let made = 0
  const hook = createHook({ init: (_id, type) => { if (type === 'PROMISE') made++ } })
  hook.enable()
  t.teardown(() => hook.disable())
  const first = cache.getOrSet('a', load, options)
  for (let n = 0; n < 1_000; n++) if (cache.getOrSet('a', load, options) !== first) t.fail('another promise')
  // The first hit makes the one that all have.
  t.equal(made, 1)
  const own = Promise.resolve()
  t.equal(made, 2, 'and one that is made is seen')
  await own
})
