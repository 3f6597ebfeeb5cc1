import t from 'tap'
import type { AppProcess } from '../helpers/app-process.js'
import { eventually } from '../helpers/eventually.js'
import { query, usePostgres } from '../helpers/postgres.js'
import { useRedis } from '../helpers/redis.js'
import { isSoak } from '../helpers/soak.js'
import { Ledger } from './ledger.js'
import { drained, put, runApps, stored } from './numbers.js'

const ROUNDS = isSoak ? 100 : 3

/** Ids that all writers write. */
const HOT = Array.from({ length: 4 }, (_, n) => `hot-${n}`)

/** Of each writer's own ids. */
const COLD = 40

const WRITERS = 12

/** Of writes that are acknowledged before a process is killed, at most. */
const LATEST_KILL = 300

t.test('rounds of load, SIGKILL at a random moment, and a new start: every acknowledged write is in Postgres, and none older over newer', async (t) => {
  const { url: database } = await usePostgres(t)
  const apps = await runApps(t, 2, { redis: await useRedis(t), database, lease: '1s', queue: { delay: 10, batch: 20 } })
  const ledger = new Ledger()
  const figures = { rounds: 0, keptUnacknowledged: 0, begun: 0, repeated: 0 }
  const drains: number[] = []

  for (let round = 0; round < ROUNDS; round++) {
    const victims = [[apps[0]!], [apps[1]!], apps][round % 3]!
    const load = startLoad(apps, ledger)
    for (const victim of victims) {
      await load.acknowledged(Math.ceil(Math.random() * LATEST_KILL))
      await load.kill(victim)
    }
    // Whoever is left is written to meanwhile, has to take over, and to give back.
    load.ease()
    await Promise.all(victims.map((victim) => victim.restart()))
    await load.stop()
    drains.push(await drained(apps[round % 2]!))

    const rows = await stored(database)
    t.strictSame(ledger.compare(rows), [], `round ${round}`)
    t.strictSame(await begunLate(database), [], 'and none was begun to be saved after a newer one of its id')
    figures.rounds++
    figures.keptUnacknowledged += ledger.kept(rows)
    const { begun, repeated } = await forgetOlder(database)
    figures.begun += begun
    figures.repeated += repeated
  }

  t.strictSame(ledger.disordered, [], 'who writes after an acknowledged write gets a higher version')
  drains.sort((a, b) => a - b)
  t.comment(`${JSON.stringify({ ...figures, acknowledged: ledger.acknowledged, unacknowledged: ledger.unknown })}, drains ${[0.5, 0.9, 1].map((share) => Math.round(drains[Math.ceil(share * drains.length) - 1]!)).join(', ')} ms (median, p90, longest)`)
  t.ok(ledger.acknowledged > ROUNDS * 10 && ledger.unknown > 0, 'writes were under way when processes were killed')
})

function startLoad (apps: readonly AppProcess[], ledger: Ledger) {
  const alive = new Set(apps)
  const writers = new Set(Array.from({ length: WRITERS }, (_, writer) => writer))

  async function write (writer: number): Promise<void> {
    const own = Array.from({ length: COLD }, (_, n) => `cold-${writer}-${n}`)
    while (writers.has(writer) && alive.size > 0) {
      const app = oneOf([...alive])
      await ledger.write(oneOf(Math.random() < 0.5 ? HOT : own), (id, value) => put(app, id, value))
    }
  }

  const writing = Promise.all([...writers].map(write))
  return {
    async acknowledged (more: number): Promise<void> {
      const count = ledger.acknowledged + more
      await eventually(() => ledger.acknowledged >= count, 30_000)
    },
    async kill (app: AppProcess): Promise<void> {
      const killed = app.kill()
      // Not before: requests are to be under way.
      alive.delete(app)
      await killed
    },
    /** A start takes its time, and longer beside who writes as fast as can be. */
    ease (): void {
      for (const writer of [...writers].slice(1)) writers.delete(writer)
    },
    async stop (): Promise<void> {
      writers.clear()
      await writing
    }
  }
}

function oneOf<T> (some: readonly T[]): T {
  return some[Math.floor(Math.random() * some.length)]!
}

/** Saves that were begun when one of a newer version of their id had been, by whichever process. */
async function begunLate (database: string): Promise<unknown[]> {
  return await query(database, `SELECT * FROM (
    SELECT *, max(version) OVER (PARTITION BY id ORDER BY place) AS newest FROM begun
  ) AS seen WHERE version < newest`)
}

/** Keeps of the history what the next round's is compared with. */
async function forgetOlder (database: string): Promise<{ begun: number, repeated: number }> {
  const [counts] = await query(database, 'SELECT count(*) AS begun, count(*) - count(DISTINCT (id, version)) AS repeated FROM begun')
  await query(database, 'DELETE FROM begun USING numbers WHERE begun.id = numbers.id AND begun.version < numbers.version')
  return { begun: Number(counts!.begun), repeated: Number(counts!.repeated) }
}
