import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import fastify, { type FastifyInstance } from 'fastify'
import pg from 'pg'
import type { Test } from 'tap'
import { captureLog } from '../helpers/log-capture.js'
import poolHealth, { type Advice, type PoolHealthOptions, type PoolStatus } from '../../plugins/pool-health/index.js'

export interface LogEntry extends Record<string, unknown> {
  level: number
  msg: string
  pool?: string
  poolHealth?: PoolStatus & { pool: string, advice: Advice }
}

export interface Logged {
  app: FastifyInstance
  /** Every line logged so far. */
  lines: () => LogEntry[]
  /** The bytes logged so far. */
  text: () => string
}

/** A Fastify app that closes itself and remembers what it logs. */
export function loggingApp (t: Test): Logged {
  const { stream, lines, text } = captureLog<LogEntry>()
  const app = fastify({ logger: { stream } })
  t.teardown(() => app.close())
  return { app, lines, text }
}

export async function buildApp (t: Test, options: PoolHealthOptions, addRoutes: (app: FastifyInstance) => void = () => {}): Promise<Logged> {
  const logged = loggingApp(t)
  await logged.app.register(poolHealth, { logInterval: false, checkSettings: false, ...options })
  addRoutes(logged.app)
  await logged.app.ready()
  return logged
}

/** A pool that ends with the test. It ends before the app does: tap runs teardowns in reverse. */
export function openPool (t: Test, connectionString: string, options: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 3, idleTimeoutMillis: 0, ...options })
  t.teardown(async () => {
    if (!pool.ended) await pool.end()
  })
  return pool
}

/** What is told on channels of pool-health from now on, in order. */
export function listen (t: Test, ...events: string[]): Array<[event: string, payload: unknown]> {
  const told: Array<[string, unknown]> = []
  for (const event of events) {
    const listener = (payload: unknown): void => { told.push([event, payload]) }
    subscribe(`headroom:pool-health:${event}`, listener)
    t.teardown(() => { unsubscribe(`headroom:pool-health:${event}`, listener) })
  }
  return told
}

export function leakLines (lines: () => LogEntry[]): LogEntry[] {
  return lines().filter(({ leak }) => leak !== undefined)
}
