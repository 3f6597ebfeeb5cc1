import type { Test } from 'tap'
import type { DeadLetter, SetResult, WriteBehindStats } from '../../plugins/write-behind/index.js'
import { freshPrefix } from '../cache/build-app.js'
import { runApp, type AppProcess } from '../helpers/app-process.js'
import { eventually } from '../helpers/eventually.js'
import { query } from '../helpers/postgres.js'
import { fixture } from '../helpers/project.js'
import type { UsedRedis } from '../helpers/redis.js'
import type { Options, Said } from './fixtures/app.js'

export interface Stored {
  value: number
  version: number
}

/** Milliseconds in which what waits has to be saved, on a machine that does other things too. */
const PATIENCE = 30_000

/** Processes that share a queue of numbers, over a database that has none yet. */
export async function runApps (t: Test, count: number, { redis, database, ...options }: Options & { redis: UsedRedis, database: string }): Promise<AppProcess[]> {
  await query(database, 'CREATE TABLE numbers (id text PRIMARY KEY, value bigint NOT NULL, version bigint NOT NULL)')
  // Every save that was begun, whatever became of it: nothing guards these.
  await query(database, 'CREATE TABLE begun (place bigserial PRIMARY KEY, life text, batch text, id text, value bigint, version bigint)')
  const env = { REDIS_URL: redis.url, PREFIX: freshPrefix(redis.prefix), DATABASE_URL: database, OPTIONS: JSON.stringify(options) }
  return await Promise.all(Array.from({ length: count }, () => runApp(t, fixture('./fixtures/app.ts', import.meta.url), { env })))
}

/** @throws where it was not acknowledged */
export async function put ({ url }: AppProcess, id: string, value: number): Promise<SetResult> {
  return await answerOf(await fetch(`${url}/numbers/${id}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ value }) }))
}

export async function statsOf ({ url }: AppProcess): Promise<WriteBehindStats> {
  return await answerOf(await fetch(`${url}/stats`))
}

export async function lettersOf ({ url }: AppProcess): Promise<DeadLetter[]> {
  return await answerOf(await fetch(`${url}/letters`))
}

export async function replay ({ url }: AppProcess, letter: string): Promise<{ became: string }> {
  return await answerOf(await fetch(`${url}/letters/${letter}/replay`, { method: 'POST' }))
}

/** @returns milliseconds that it took until nothing waited any more */
export async function drained (app: AppProcess): Promise<number> {
  const began = performance.now()
  await eventually(async () => (await statsOf(app)).depth === 0, PATIENCE)
  return performance.now() - began
}

export async function stored (database: string): Promise<Map<string, Stored>> {
  const rows = await query(database, 'SELECT id, value, version FROM numbers')
  return new Map(rows.map(({ id, value, version }) => [id as string, { value: Number(value), version: Number(version) }]))
}

/** What the app has said of one kind, in order. */
export function said<Kind extends Said['kind']> (app: AppProcess, kind: Kind): Array<Said & { kind: Kind }> {
  return (app.messages() as Said[]).filter((one): one is Said & { kind: Kind } => one.kind === kind)
}

async function answerOf<T> (response: Response): Promise<T> {
  const body = await response.text()
  if (!response.ok) throw new Error(`${response.status}: ${body}`)
  return JSON.parse(body) as T
}
