import t from 'tap'
import { SHARDS, shardOf } from '../../plugins/write-behind/keys.js'
import type { AppProcess } from '../helpers/app-process.js'
import { eventually } from '../helpers/eventually.js'
import { usePostgres } from '../helpers/postgres.js'
import { useRedis } from '../helpers/redis.js'
import { isSoak } from '../helpers/soak.js'
import type { Said, Told } from './fixtures/app.js'
import { drained, put, runApps, said, statsOf, stored } from './numbers.js'

const ROUNDS = isSoak ? 50 : 3

/** Saves that a process has under way at a time, one of an id each; more where a busy machine makes it lose a lease of itself. */
const CONCURRENCY = 4

/** Three for each shard: of whichever are a process' own, some wait behind those that are being saved. */
const IDS = Array.from({ length: SHARDS }, (_, shard) => Array.from({ length: 1_000 }, (_, n) => `id-${n}`).filter((id) => shardOf(id) === shard).slice(0, 3)).flat()

const PATIENCE = 30_000

t.test('an owner is stopped past its lease, and another process saves newer values: what it goes on with then changes nothing, with a guard', async (t) => {
  const { url: database } = await usePostgres(t)
  const apps = await runApps(t, 2, { redis: await useRedis(t), database, lease: '500ms', talks: true, queue: { delay: 0, batch: 1, concurrency: CONCURRENCY } })
  let [stale, late] = [0, 0]

  for (let round = 0; round < ROUNDS; round++) {
    const [owner, other] = (round % 2 === 0 ? apps : apps.toReversed()) as [AppProcess, AppProcess]
    await eventually(async () => (await Promise.all(apps.map(statsOf))).every(({ shards }) => shards === SHARDS / 2), PATIENCE)
    const [fromOwner, fromOther] = [listenTo(owner), listenTo(other)]

    hold(owner, true)
    const old = await putAll(other, round * 2)
    await eventually(() => fromOwner('began').length >= CONCURRENCY && fromOther('arrived').length >= IDS.length / 2, PATIENCE)
    const underWay = fromOwner('began')
    owner.pause()
    // It hears that when it goes on: its saves do so at the same time as all else that it does.
    hold(owner, false)

    // In every other round the newer ones come to the source after the stale ones, else before them.
    const isBehind = round % 2 === 1
    if (isBehind) hold(other, true)
    const newest = await putAll(other, round * 2 + 1)
    if (isBehind) await eventually(() => fromOther('began').filter(({ id, version }) => version === newest.get(id)).length >= CONCURRENCY, PATIENCE)
    else await drained(other)
    await eventually(async () => (await statsOf(other)).shards === SHARDS, PATIENCE)
    owner.resume()
    await eventually(() => underWay.every(({ id, version }) => fromOwner('arrived').some((one) => one.id === id && one.version === version)), PATIENCE)
    hold(other, false)
    await drained(other)

    const rows = await stored(database)
    t.strictSame(IDS.map((id) => rows.get(id)), IDS.map((id) => ({ value: round * 2 + 1, version: newest.get(id) })), `round ${round}: the newest stands`)
    const afterwards = fromOwner('began').slice(underWay.length).filter(({ id, version }) => version === old.get(id))
    if (!isBehind) t.strictSame(afterwards, [], 'and what it had not begun, it did not begin any more')
    stale += fromOwner('arrived').filter(({ wasNewer }) => !wasNewer).length
    late += isBehind ? underWay.length : 0
  }

  t.comment(`${ROUNDS} rounds: ${stale} stale saves came to Postgres after the newer one, ${late} while the newer one was under way`)
  t.ok(stale >= CONCURRENCY * Math.ceil(ROUNDS / 2), 'stale saves were attempted')
})

function hold (app: AppProcess, hold: boolean): void {
  app.send({ hold } satisfies Told)
}

/** @returns the version of each */
async function putAll (app: AppProcess, value: number): Promise<Map<string, number>> {
  return new Map(await Promise.all(IDS.map(async (id) => [id, (await put(app, id, value)).version] as const)))
}

/** What the app says from now on. */
function listenTo (app: AppProcess) {
  const before = { began: said(app, 'began').length, arrived: said(app, 'arrived').length, away: 0 }
  return <Kind extends Said['kind']>(kind: Kind): Array<Said & { kind: Kind }> => said(app, kind).slice(before[kind])
}
