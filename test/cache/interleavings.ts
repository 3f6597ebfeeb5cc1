import type { Test } from 'tap'
import type { Cache, LoadContext } from '../../plugins/cache/index.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { isSoak } from '../helpers/soak.js'
import { freshPrefix } from './build-app.js'
import { eventOrders, isMutation, keptAfter, shareOf, type Event } from './event-orders.js'
import type { Store } from './stores.js'

const TAG = 'tag'

/** How the tag is named: by the load's options or by the loader as it ends; and whether the set has it too. */
const FORMS = [
  { name: 'the tag in the options', byLoader: false, setIsTagged: false },
  { name: 'the tag in the options, and on the set', byLoader: false, setIsTagged: true },
  { name: 'the tag named by the loader', byLoader: true, setIsTagged: false },
  { name: 'the tag named by the loader, and on the set', byLoader: true, setIsTagged: true }
]
type Form = typeof FORMS[number]

/** What the load of an `ask` gives; `at` is the number of events that had begun when it did. */
interface Asked { asked: true, at: number }

interface Outcome {
  /** What each `ask` got, with its place in the order. */
  answers: Array<{ at: number, value: unknown }>
  starter: unknown
}

/** Each event is over before the next begins, but for the load, which is held, and for who asks, who may have to wait for it. */
async function play (cache: Cache, key: string, order: readonly Event[], { byLoader, setIsTagged }: Form): Promise<Outcome> {
  const load = gate<string>()
  const asking: Array<Promise<{ at: number, value: unknown }>> = []
  let starter: Promise<unknown> = Promise.resolve()
  let now = 0
  for (const [at, event] of order.entries()) {
    now = at + 1
    if (event === 'start') {
      starter = cache.getOrSet(key, async ({ tags }: LoadContext) => {
        const value = await load.pass()
        if (byLoader) tags(TAG)
        return value
      }, byLoader ? {} : { tags: [TAG] })
      await Promise.race([load.arrived(), starter])
    } else if (event === 'end') {
      load.open('loaded')
      await starter
    } else if (event === 'ask') {
      const asked = cache.getOrSet<unknown>(key, (): Asked => ({ asked: true, at: now }), { tags: [TAG] })
      asking.push(asked.then((value) => ({ at, value })))
    } else await mutate(cache, key, event, setIsTagged)
  }
  return { answers: await Promise.all(asking), starter: await starter }
}

async function mutate (cache: Cache, key: string, event: Event, setIsTagged: boolean): Promise<void> {
  if (event === 'delete') await cache.delete(key)
  if (event === 'set') await cache.set(key, 'set', setIsTagged ? { tags: [TAG] } : {})
  if (event === 'invalidate') await cache.invalidateTags(TAG)
  if (event === 'clear') await cache.clear()
}

/** Whether a value may be given out at a place in the order, or after all of it. */
function mayBe (value: unknown, order: readonly Event[], at: number, { setIsTagged }: Form): boolean {
  const since = (from: number): Event[] => order.slice(from, at).filter(isMutation)
  if (value === 'loaded') return since(order.indexOf('start')).length === 0
  if (value === 'set') return since(order.indexOf('set') + 1).every((event) => event === 'invalidate' && !setIsTagged)
  return since((value as Asked).at).length === 0
}

/**
 * Tries, on a store, the orders of {load start, load end, delete, set, invalidateTags, clear, ask}, driven by gates: in memory, and in
 * a soak, each with each form. Else, of the orders with three mutations and more, two where somebody asks, each is tried on each
 * store with one of the forms, and with each form on one of four stores: those are numbered.
 */
export async function tryInterleavings (t: Test, store: Store, base: string, number: number): Promise<void> {
  t.jobs = FORMS.length
  const isCluster = store.name.includes('Cluster')
  const isShort = store.redis && !isSoak
  for (const [index, form] of FORMS.entries()) {
    const some = (orders: Event[][], longer: number): Event[][] => isShort ? shareOf(orders, { turn: index + number, shares: FORMS.length, longer }) : orders
    t.test(`in whatever order a load and what voids it come, the newest is kept, and nothing older: ${form.name}`, async (t) => {
      const prefix = freshPrefix(base)
      const { cache } = await store.build(t, { prefix })
      // One that sees only what is in Redis.
      const inRedis = store.redis ? await store.build(t, { prefix, memory: false }) : undefined
      const orders = some([0, 1, 2, 3, 4].flatMap((mutations) => eventOrders(mutations)), 3)
      const wrong: unknown[] = []
      for (const order of orders) {
        const key = order.join(' ')
        const { starter } = await play(cache, key, order, form)
        const expected = keptAfter(order, form.setIsTagged)
        const there = async (): Promise<unknown> => inRedis === undefined ? expected : await inRedis.cache.get(key)
        const kept = { here: await cache.get(key), inRedis: await there() }
        // In a Cluster a message can come later than what was written after it: what is read meanwhile is taken for void.
        if (isCluster && expected !== undefined) await eventually(async () => (kept.inRedis ??= await there()) !== undefined).catch(() => {})
        if (kept.here !== expected || kept.inRedis !== expected || (starter !== 'loaded' && starter !== 'set')) wrong.push({ order, expected, ...kept, starter })
      }
      t.equal(orders.length, isShort ? 235 : 685)
      t.strictSame(wrong, [])
    })

    t.test(`whoever asks after something was voided never gets what was loaded before: ${form.name}`, async (t) => {
      const { cache } = await store.build(t)
      const orders = some([0, 1, 2].flatMap((mutations) => eventOrders(mutations, ['ask'])), 2)
      const wrong: unknown[] = []
      for (const order of orders) {
        const key = order.join(' ')
        const { answers } = await play(cache, key, order, form)
        for (const { at, value } of answers) if (!mayBe(value, order, at, form)) wrong.push({ order, value })
        const kept = await cache.get(key)
        if (kept !== undefined && !mayBe(kept, order, order.length, form)) wrong.push({ order, kept })
      }
      t.equal(orders.length, isShort ? 141 : 411)
      t.strictSame(wrong, [])
    })
  }
}
