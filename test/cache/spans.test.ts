import t from 'tap'
import { collectSpans, enableSpans, type Span } from '../../plugins/shared/spans.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stores } from './stores.js'

t.teardown(enableSpans())

/** The spans that the work made for its request, each of which has ended. */
async function spansOf (work: () => Promise<unknown>): Promise<string[]> {
  const spans: Span[] = []
  await collectSpans((span) => { spans.push(span) }, work)
  for (const { name, start, end } of spans) t.ok(end !== undefined && end >= start, name)
  return spans.map(({ name }) => name)
}

for (const store of stores(await useRedis(t))) {
  t.test(store.name, async (t) => {
    t.test('whichever way a request asks, it is told how long it waited for the cache, and of it for the load', async (t) => {
      const { cache } = await store.build(t)
      const [one, many] = [
        cache.resource('one', { load: (id: number) => id }),
        cache.resource('many', { load: (id: number) => id, loadMany: (ids: number[]) => ids })
      ]
      const calls: Array<[call: string, work: () => Promise<unknown>]> = [
        ['getOrSet', () => cache.getOrSet('a', () => 1)],
        ['getMany', () => cache.getMany(['b', 'c'], { key: (id) => id, load: (ids) => ids })],
        ['resource.get', () => one.get(1)],
        ['resource.getMany without loadMany', () => one.getMany([2])],
        ['resource.getMany', () => many.getMany([1, 2, 3])],
        ['resource.refresh', () => one.refresh(1)]
      ]
      for (const [call, work] of calls) t.strictSame(await spansOf(work), ['cache wait', 'cache load'], call)
    })

    t.test('who waits for the load of another request is told of the wait, and of no load', async (t) => {
      const { cache } = await store.build(t)
      const held = gate<number>()
      const users = cache.resource('user', { load: (_id: number) => held.pass() })
      const first = spansOf(() => users.get(1))
      await held.arrived()
      const [second, third] = [spansOf(() => users.get(1)), spansOf(() => cache.getMany([1], { key: (id) => `user:${id}`, load: () => [] }))]
      held.open(1)
      t.strictSame(await Promise.all([first, second, third]), [['cache wait', 'cache load'], ['cache wait'], ['cache wait']])
    })

    t.test('the span of a call that fails ends too', async (t) => {
      const { cache } = await store.build(t)
      const users = cache.resource('user', { load: (_id: number): never => { throw new Error('away') } })
      for (const call of [() => users.get(1), () => users.getMany([1]), () => users.refresh(1)]) {
        t.strictSame(await spansOf(() => t.rejects(call, { message: 'away' })), ['cache wait', 'cache load'])
      }
    })
  })
}
