import type { FastifyInstance } from 'fastify'
import pg from 'pg'
import type { Test } from 'tap'
import { build, type BuildOptions } from '../../example-app/app.js'
import { seed } from '../../example-app/seed.js'
import { usePostgres } from './postgres.js'

// The files that autoload finds in the source tree are TypeScript, which the test runner loads.
process.env.FASTIFY_AUTOLOAD_TYPESCRIPT = '1'

export const USERS = 200
export const TOKEN_SECRET = 'a secret that only this test knows'

/** A database with the example's data. */
export async function seededPostgres (t: Test): Promise<string> {
  const { url } = await usePostgres(t)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await seed(client, USERS, () => {})
  await client.end()
  return url
}

/** The example app in this process. */
export async function buildExample (t: Test, options: Partial<BuildOptions> & Pick<BuildOptions, 'databaseUrl'>): Promise<FastifyInstance> {
  const app = await build({ redisUrl: undefined, redisDurable: false, poolMax: 5, tokenSecret: TOKEN_SECRET, logLevel: 'silent', ...options })
  t.teardown(() => app.close())
  return app
}
