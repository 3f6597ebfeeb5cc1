import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { Test } from 'tap'
import { type PostgresServerOptions, startPostgresServer } from '../../services/postgres-server.js'
import type { RunningServer } from '../../services/running-server.js'

export interface UsedPostgres {
  /** Of an empty database. */
  url: string
}

/**
 * An empty database for this test: made on the server of `DATABASE_URL`, or of SUITE_POSTGRES, which the suite's runner has started
 * for all files, and dropped in the end, else on an own server.
 */
export async function usePostgres (t: Test): Promise<UsedPostgres> {
  const admin = process.env.DATABASE_URL || process.env.SUITE_POSTGRES
  if (!admin) return { url: (await ownPostgres(t)).url }
  const name = `headroom_test_${randomBytes(6).toString('hex')}`
  await query(admin, `CREATE DATABASE ${name}`)
  // FORCE: a test that failed may have left connections behind.
  t.teardown(() => query(admin, `DROP DATABASE ${name} WITH (FORCE)`))
  const url = new URL(admin)
  url.pathname = `/${name}`
  return { url: url.href }
}

/** A server of the test's own, whatever the environment: for tests that pause, kill or reconfigure it. */
export async function ownPostgres (t: Test, options?: PostgresServerOptions): Promise<RunningServer> {
  const server = await startPostgresServer(options)
  t.teardown(() => server.stop())
  return server
}

/** One statement on a connection of its own. */
export async function query (url: string, sql: string): Promise<Array<Record<string, unknown>>> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000, query_timeout: 5_000 })
  // Servers get killed here; the query's own rejection tells enough.
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<Record<string, unknown>>(sql)
    return rows
  } finally {
    await client.end().catch(() => {})
  }
}
