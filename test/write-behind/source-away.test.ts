import t from 'tap'
import { shardOf } from '../../plugins/write-behind/keys.js'
import { eventually } from '../helpers/eventually.js'
import { ownPostgres, query, usePostgres } from '../helpers/postgres.js'
import { useRedis } from '../helpers/redis.js'
import type { Told } from './fixtures/app.js'
import { drained, lettersOf, put, replay, runApps, said, statsOf, stored } from './numbers.js'

const redis = await useRedis(t)

/** So that an outage outlasts all tries of a write. */
const impatient = { attempts: 2, retry: { first: '10ms', longest: '50ms' } } as const

const PATIENCE = 30_000

t.test('Postgres is away for longer than a write is tried: writes are taken meanwhile, and all arrive when it is back', async (t) => {
  const server = await ownPostgres(t)
  const apps = await runApps(t, 2, { redis, database: server.url, lease: '1s', talks: true, queue: { ...impatient, delay: 10 } })
  const last = new Map<string, number>()
  const writeAll = async (value: number): Promise<void> => {
    await Promise.all(Array.from({ length: 200 }, async (_, n) => {
      last.set(`id-${n}`, value)
      t.equal((await put(apps[n % 2]!, `id-${n}`, value)).queued, true)
    }))
  }
  const values = async (): Promise<Map<string, number>> => new Map([...await stored(server.url)].map(([id, { value }]) => [id, value]))

  await t.test('killed, and started again', async (t) => {
    await writeAll(1)
    await server.kill()
    await writeAll(2)
    await Promise.all(apps.map((app) => eventually(() => said(app, 'away').length > 5, PATIENCE)))
    await writeAll(3)
    t.equal((await statsOf(apps[0]!)).depth, 200)
    await server.restart()
    await drained(apps[0]!)
    t.strictSame(await values(), last)
  })

  await t.test('frozen, with its connections open', async (t) => {
    await server.pause()
    await writeAll(4)
    await writeAll(5)
    t.equal((await statsOf(apps[0]!)).depth, 200)
    await server.resume()
    await drained(apps[0]!)
    t.strictSame(await values(), last)
  })

  t.strictSame(await lettersOf(apps[0]!), [], 'and no write was given up')
})

t.test('a write that Postgres does not take lies alone with the dead letters, and arrives by a replay once it is taken', async (t) => {
  const { url: database } = await usePostgres(t)
  const [app] = await runApps(t, 1, {
    redis, database, lease: '1s', talks: true, queue: { attempts: 3, retry: { first: '5ms', longest: '20ms' }, delay: 0, concurrency: 1 }
  })
  await query(database, 'ALTER TABLE numbers ADD CONSTRAINT no_negatives CHECK (value >= 0)')
  // Of one shard, and while one before them is being saved: then they are saved together.
  const [first, ...ids] = Array.from({ length: 1_000 }, (_, n) => `id-${n}`).filter((id) => shardOf(id) === 0).slice(0, 21)
  const poison = ids[10]!
  const others = ids.filter((id) => id !== poison)
  app!.send({ hold: true } satisfies Told)
  await put(app!, first!, 1)
  await eventually(() => said(app!, 'began').length === 1)
  let version: number
  for (const id of ids) {
    const written = await put(app!, id, id === poison ? -1 : 1)
    if (id === poison) version = written.version
  }
  app!.send({ hold: false } satisfies Told)
  await drained(app!)

  const batches = await query(database, `SELECT batch FROM begun WHERE id = '${poison}' INTERSECT SELECT batch FROM begun WHERE id <> '${poison}'`)
  t.ok(batches.length > 0, 'it was in one batch with others')
  t.strictSame([...(await stored(database)).keys()].sort(), [first, ...others].sort(), 'which have arrived')
  const letters = await lettersOf(app!)
  t.match(letters, [{ id: poison, value: -1, version: version!, tries: 3, reason: /no_negatives/, superseded: false }])
  t.equal(letters.length, 1)

  const { letter } = letters[0]!
  t.strictSame(await replay(app!, letter), { became: 'queued' })
  await eventually(async () => (await lettersOf(app!)).length === 1, PATIENCE)
  await drained(app!)
  const [again] = await lettersOf(app!)
  t.notOk((await stored(database)).has(poison), 'while the cause is there, it comes back')

  await query(database, 'ALTER TABLE numbers DROP CONSTRAINT no_negatives')
  t.strictSame(await replay(app!, again!.letter), { became: 'queued' })
  await drained(app!)
  t.strictSame((await stored(database)).get(poison), { value: -1, version: version! })
  t.strictSame(await lettersOf(app!), [])
  t.strictSame(await replay(app!, again!.letter), { became: 'gone' })
})
