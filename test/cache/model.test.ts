import fc from 'fast-check'
import t from 'tap'
import type { Cache } from '../../plugins/cache/index.js'
import { eventually } from '../helpers/eventually.js'
import { useRedis } from '../helpers/redis.js'
import { buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'

const redis = await useRedis(t)

type App = 'a' | 'b'
const OTHER = { a: 'b', b: 'a' } as const

/** The source, and which of its versions may still be given out under each key. */
class Model {
  readonly source = new Map<string, number>()
  /** What was kept last, and with which tags; it may have gone, but nothing else may be there. */
  readonly kept = new Map<string, { version: number, tags: readonly string[] }>()
  #versions = 0

  change (key: string): number {
    this.source.set(key, ++this.#versions)
    return this.#versions
  }
}

interface World {
  caches: Record<App, Cache>
  model: Model
  heardAll: (by: App) => Promise<void>
}

type Step = { readonly does: string, run (world: World): Promise<void> }

/** After a change, the other app is asked only when it has heard; the app that made it may be asked at once. */
async function changed ({ caches, model, heardAll }: World, app: App, change: () => Promise<unknown>): Promise<void> {
  await change()
  for (const key of KEYS) check(model, key, await caches[app].get(key))
  await heardAll(OTHER[app])
}

function check (model: Model, key: string, value: unknown): void {
  const kept = model.kept.get(key)?.version
  if (value !== undefined && value !== kept) throw new Error(`${key}: expected ${kept === undefined ? 'nothing' : `version ${kept}, or nothing`}, got ${String(value)}`)
}

const KEYS = ['k1', 'k2', 'k3']
const app = fc.constantFrom<App>('a', 'b')
const key = fc.constantFrom(...KEYS)
const tags = fc.subarray(['t1', 't2'])

const steps: Array<fc.Arbitrary<Step>> = [
  fc.tuple(app, key, tags, fc.boolean()).map(([app, key, tags, byLoader]) => ({
    does: `${app} loads ${key} with ${tags.join('+')}${byLoader ? ' named by the loader' : ''}`,
    async run ({ caches, model }) {
      let loaded: number | undefined
      const value = await caches[app].getOrSet(key, (context) => {
        loaded = model.source.get(key) ?? 0
        if (byLoader) context.tags(...tags)
        return loaded
      }, byLoader ? {} : { tags })
      if (loaded === undefined) check(model, key, value)
      else model.kept.set(key, { version: loaded, tags })
    }
  })),
  fc.tuple(app, key).map(([app, key]) => ({
    does: `${app} reads ${key}`,
    async run ({ caches, model }) { check(model, key, await caches[app].get(key)) }
  })),
  fc.tuple(app, key, tags).map(([app, key, tags]) => ({
    does: `${app} sets ${key} with ${tags.join('+')}`,
    run: (world) => changed(world, app, async () => {
      const version = world.model.change(key)
      world.model.kept.set(key, { version, tags })
      await world.caches[app].set(key, version, { tags })
    })
  })),
  fc.tuple(app, key).map(([app, key]) => ({
    does: `${app} deletes ${key}`,
    run: (world) => changed(world, app, async () => {
      world.model.change(key)
      world.model.kept.delete(key)
      await world.caches[app].delete(key)
    })
  })),
  fc.tuple(app, tags).map(([app, tags]) => ({
    does: `${app} invalidates ${tags.join('+')}`,
    run: (world) => changed(world, app, async () => {
      for (const [key, kept] of world.model.kept) {
        if (!kept.tags.some((tag) => tags.includes(tag))) continue
        world.model.change(key)
        world.model.kept.delete(key)
      }
      await world.caches[app].invalidateTags(...tags)
    })
  })),
  app.map((app) => ({
    does: `${app} clears`,
    run: (world) => changed(world, app, async () => {
      for (const key of KEYS) world.model.change(key)
      world.model.kept.clear()
      await world.caches[app].clear()
    })
  }))
]

for (const [name, memory] of [['two tiers', undefined], ['Redis only', false]] as const) {
  t.test(`whatever two processes do one after the other, neither gives out what is no longer so: ${name}`, async (t) => {
    const prefix = freshPrefix(redis.prefix)
    const caches = {} as Record<App, Cache>
    for (const app of ['a', 'b'] as const) {
      const built = await buildApp(t, { redis: await connect(t, redis.url), prefix, ...memory === false && { memory } })
      if (memory === undefined) await trustsMemory(built)
      caches[app] = built.cache
    }
    let markers = 0
    // Twice: of the first marker, a clear would have voided what `by` remembers.
    const heardAll = async (by: App): Promise<void> => {
      for (let round = 0; round < 2; round++) {
        const marker = ++markers
        await caches[by].set('marker', -marker)
        await caches[OTHER[by]].set('marker', marker)
        await eventually(async () => await caches[by].get('marker') === marker)
      }
    }
    let [kept, found] = [0, 0]
    await fc.assert(fc.asyncProperty(fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 20 }), async (history) => {
      const world = { caches, model: new Model(), heardAll }
      await caches.a.clear()
      await heardAll('b')
      try {
        for (const step of history) await step.run(world)
        // What the model has is mostly there, or the property would hold for a cache that keeps nothing.
        for (const [key, { version }] of world.model.kept) {
          kept++
          if (await caches.a.get(key) === version) found++
        }
      } catch (error) {
        throw new Error(`after ${history.map(({ does }) => does).join('; ')}`, { cause: error })
      }
    }), { numRuns: 100, ...process.env.FC_SEED !== undefined && { seed: Number(process.env.FC_SEED) } })
    t.ok(found > 0.9 * kept, `of ${kept} values to be kept, ${found} were found`)
  })
}
