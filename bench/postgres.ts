import type pg from 'pg'
import { startPostgresServer } from '../services/postgres-server.js'

/** As Postgres comes: what is thrown away in the end need not survive a power cut, but this is what writes cost where it must. */
const DURABLE = { fsync: true, full_page_writes: true }

/** A pool of a real Postgres of the variant's own, which ends with its process. */
export async function ownPostgres (connections: number): Promise<pg.Pool> {
  const { default: { Pool } } = await import('pg')
  const { url } = await startPostgresServer({ settings: DURABLE })
  return new Pool({ connectionString: url, max: connections })
}
