import type { WriteBehind } from 'fastify-headroom/write-behind'
import type pg from 'pg'
import type { MicroEntry, Operation, Postponing } from './entry.js'
import { ownPostgres } from './postgres.js'
import { ownRedis } from './redis.js'

export interface WritesOptions {
  title: string
  /** How many ids are written, one after the other. */
  ids: number
  /** Writes a second of write-behind, what waits in the end included, to those of write-through. */
  atLeast: number
}

interface Visit {
  at: number
  page: string
  agent: string
}

/** Requests that a busy process has under way. */
const CALLERS = 256

const CONNECTIONS = 20

/** Milliseconds between two looks at whether the queue is empty. */
const LOOK = 5

// Without a common divisor with the counts of ids: each has its turn before one has it again, and neighbours are no neighbours in
// the table.
const STRIDE = 7_919

/** Write-through and write-behind of the same values to the same table, both into a Postgres that syncs each commit. */
export function writesEntry ({ title, ids, atLeast }: WritesOptions): MicroEntry {
  return {
    kind: 'micro',
    title,
    baseline: 'write-through',
    variants: {
      'write-through': () => writeThrough(ids),
      'write-behind': () => writeBehind(ids, 'counted'),
      'write-behind until acknowledged': () => writeBehind(ids, 'afterwards')
    },
    callers: CALLERS,
    // A queue waits 200 ms for more writes of an id, and a commit for the disk. An even number of turns for each of four variants.
    pace: { rounds: 8, warmUp: 2_000, slice: 1_000 },
    expectations: [{ variant: 'write-behind', of: 'write-through', atLeast }]
  }
}

async function writeThrough (ids: number): Promise<Operation> {
  const pool = await tableOf(ids)
  const next = turningWrites(ids)
  return () => {
    const { id, visit } = next()
    return pool.query({ name: 'write', text: 'UPDATE visitor SET visit = $2 WHERE id = $1', values: [id, visit] })
  }
}

async function writeBehind (ids: number, settled: Postponing['settled']): Promise<Postponing> {
  const { default: Fastify } = await import('fastify')
  const { default: plugin } = await import('fastify-headroom/write-behind')
  const pool = await tableOf(ids)
  const app = Fastify()
  // Where others take the processor for a moment, that is no outage: what would be saved directly then is not what is measured.
  await app.register(plugin, { redis: await ownRedis({ persist: true }), durable: true, commandTimeout: '2s' })
  const visits = app.writeBehind<Visit, number>('visits', {
    fenced: true,
    save: async (id, visit, { version }) => {
      await pool.query({ name: 'save', text: 'UPDATE visitor SET visit = $2, version = $3 WHERE id = $1 AND version < $3', values: [id, visit, version] })
    },
    saveMany: async (writes) => {
      await pool.query({
        name: 'save many',
        text: `UPDATE visitor SET visit = new.visit, version = new.version
          FROM unnest($1::int[], $2::jsonb[], $3::bigint[]) AS new (id, visit, version)
          WHERE visitor.id = new.id AND visitor.version < new.version`,
        values: [writes.map(({ id }) => id), writes.map(({ value }) => JSON.stringify(value)), writes.map(({ version }) => version)]
      })
    }
  })
  await app.ready()
  const next = turningWrites(ids)
  return {
    call: () => {
      const { id, visit } = next()
      return visits.set(id, visit)
    },
    settle: () => emptied(visits),
    settled
  }
}

/** @throws where writes have gone another way than through the queue: then it is not the queue that was measured */
async function emptied (queue: WriteBehind): Promise<void> {
  for (;;) {
    const { depth, direct, dead } = await queue.stats()
    if (direct > 0 || dead > 0) throw new Error(`expected all writes to be queued and saved, got ${direct} saved directly and ${dead} dead`)
    if (depth === 0) return
    await new Promise((resolve) => { setTimeout(resolve, LOOK) })
  }
}

async function tableOf (ids: number): Promise<pg.Pool> {
  const pool = await ownPostgres(CONNECTIONS)
  await pool.query('CREATE TABLE visitor (id int PRIMARY KEY, visit jsonb NOT NULL, version bigint NOT NULL)')
  await pool.query('INSERT INTO visitor SELECT id, $1, 0 FROM generate_series(0, $2::int - 1) AS id', [visitOf(0), ids])
  await pool.query('VACUUM ANALYZE visitor')
  return pool
}

function turningWrites (ids: number): () => { id: number, visit: Visit } {
  let turn = 0
  return () => {
    turn++
    return { id: turn * STRIDE % ids, visit: visitOf(turn) }
  }
}

function visitOf (turn: number): Visit {
  return { at: turn, page: `/articles/${turn}`, agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' }
}
