import fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import writeBehind, { type Id, type WriteBehindOptions, type WriteBehindPluginOptions } from '../../plugins/write-behind/index.js'
import { captureLog } from '../helpers/log-capture.js'

export interface Built {
  app: FastifyInstance
  /** What the app logged from level warn on, a line each. */
  log: () => string[]
}

/** A lease that shards are soon given on by, and commands that a busy machine does not make fail. */
export const quick = { lease: 300, commandTimeout: '10s' } as const

/** An app with the plugin at its root, ready. @param more what is registered after it */
export async function buildApp (t: Test, options: WriteBehindPluginOptions, more?: (app: FastifyInstance) => Promise<void>): Promise<Built> {
  const { stream, text } = captureLog()
  const app = fastify({ logger: { stream, level: 'warn' } }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(writeBehind, { ...quick, ...options })
  await more?.(app)
  await app.ready()
  return { app, log: () => text().split('\n').filter(Boolean) }
}

export interface Row {
  value: unknown
  version: number
}

/** A source that compares versions, as `UPDATE … WHERE version < $version` does. */
export function fencedSource (): { rows: Map<string, Row>, saves: Row[], options: Pick<WriteBehindOptions, 'save' | 'fenced'> } {
  const rows = new Map<string, Row>()
  const saves: Row[] = []
  const save = (id: Id, value: unknown, { version }: { version: number }): void => {
    saves.push({ value, version })
    if (version > (rows.get(String(id))?.version ?? 0)) rows.set(String(id), { value, version })
  }
  return { rows, saves, options: { save, fenced: true } }
}
