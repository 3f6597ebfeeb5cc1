import t, { type Test } from 'tap'
import type { CacheOptions } from '../../plugins/cache/index.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { isSoak } from '../helpers/soak.js'
import { buildApp, connect, freshPrefix, heard, trustsMemory, type Built } from './build-app.js'
import { eventOrders, isMutation, keptAfter, shareOf, type Event } from './event-orders.js'

const redis = await useRedis(t)
const TAG = 'tag'

// Side by side: each has apps of its own, and Redis to wait for.
t.jobs = 3

const FORMS = [
  { name: 'the tag in the options', byLoader: false, setIsTagged: false },
  { name: 'the tag named by the loader, and on the set', byLoader: true, setIsTagged: true }
]
type Form = typeof FORMS[number]

async function threeApps (t: Test, ofLoader: CacheOptions) {
  const prefix = freshPrefix(redis.prefix)
  const build = async (options?: CacheOptions): Promise<Built> => await buildApp(t, { redis: await connect(t, redis.url), prefix, ...options })
  const [a, b, fresh] = [await build(ofLoader), await build(), await build({ memory: false })]
  await heard(await connect(t, redis.url), prefix, 3)
  await trustsMemory(b)
  return { a, b, fresh }
}

let markers = 0

/** Resolves when `a` has heard all that `b` has said. Twice: of the first marker, a clear would have voided what `a` remembers. */
async function heardAll (b: Built, a: Built): Promise<void> {
  for (let round = 0; round < 2; round++) {
    const marker = --markers
    await a.cache.set('marker', marker)
    await b.cache.set('marker', -marker)
    await eventually(async () => await a.cache.get('marker') === -marker)
  }
}

/** The load in A, what voids it in B; each event is over before the next begins. */
async function play ({ a, b }: { a: Built, b: Built }, key: string, order: readonly Event[], { byLoader, setIsTagged }: Form): Promise<void> {
  const load = gate<string>()
  let starter: Promise<unknown> = Promise.resolve()
  for (const event of order) {
    if (event === 'start') {
      starter = a.cache.getOrSet(key, async ({ tags }) => {
        const value = await load.pass()
        if (byLoader) tags(TAG)
        return value
      }, byLoader ? {} : { tags: [TAG] })
      await Promise.race([load.arrived(), starter])
    }
    if (event === 'end') {
      load.open('loaded')
      await starter
    }
    if (event === 'delete') await b.cache.delete(key)
    if (event === 'set') await b.cache.set(key, 'set', setIsTagged ? { tags: [TAG] } : {})
    if (event === 'invalidate') await b.cache.invalidateTags(TAG)
    if (event === 'clear') await b.cache.clear()
  }
}

/** A load may go unkept where the process that loads had not yet heard, as it began, what another did before. */
function mayMiss (order: readonly Event[]): boolean {
  return order.slice(0, order.indexOf('end')).some(isMutation)
}

const TIERS = [{ name: 'two tiers', ofLoader: {} }, { name: 'Redis only', ofLoader: { memory: false as const } }]

for (const [turn, { name, ofLoader }] of TIERS.entries()) {
  for (const [index, form] of FORMS.entries()) {
    t.test(`in whatever order a load here and what voids it elsewhere come, nothing older than that is kept: ${name}, ${form.name}`, async (t) => {
      const apps = await threeApps(t, ofLoader)
      const all = [0, 1, 2, 4].flatMap((mutations) => eventOrders(mutations))
      // Those with all mutations: each on each of the tiers with one of the forms, and with each form on one of the tiers; in a soak, all.
      const orders = isSoak ? all : shareOf(all, { turn: turn + index, shares: FORMS.length, longer: 4 })
      const wrong: unknown[] = []
      for (const order of orders) {
        const key = order.join(' ')
        await play(apps, key, order, form)
        const expected = keptAfter(order, form.setIsTagged)
        const inB = await apps.b.cache.get(key)
        const inRedis = await apps.fresh.cache.get(key)
        await heardAll(apps.b, apps.a)
        const inA = await apps.a.cache.get(key)
        const isRight = (value: unknown): boolean => value === expected || (value === undefined && expected === 'loaded' && mayMiss(order))
        if (![inB, inRedis, inA].every(isRight)) wrong.push({ order, expected, inB, inRedis, inA })
      }
      t.equal(orders.length, isSoak ? 445 : 265)
      t.strictSame(wrong, [])
    })
  }

  t.test(`a load here that begins after all that was done elsewhere was heard is kept: ${name}`, async (t) => {
    const { a, b, fresh } = await threeApps(t, ofLoader)
    for (const form of FORMS) {
      for (const order of eventOrders(2).filter((order) => order.indexOf('start') === 2)) {
        const key = `${form.name}: ${order.join(' ')}`
        await play({ a, b }, key, order.slice(0, 2), form)
        await heardAll(b, a)
        await play({ a, b }, key, order.slice(2), form)
        const expected = keptAfter(order, form.setIsTagged)
        t.strictSame([await a.cache.get(key), await b.cache.get(key), await fresh.cache.get(key)], [expected, expected, expected], key)
      }
    }
  })
}
