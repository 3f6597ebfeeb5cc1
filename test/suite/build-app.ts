import fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { captureLog } from '../helpers/log-capture.js'
import headroom, { type HeadroomOptions } from '../../plugins/index.js'

export interface LogEntry extends Record<string, unknown> {
  msg: string
  slowRequest?: { route: string, elapsed: number }
}

/** An app with the whole suite; `before` puts what the host registers first. */
export async function buildApp (t: Test, options?: HeadroomOptions, before: (app: FastifyInstance) => void | Promise<void> = () => {}) {
  const { stream, lines } = captureLog<LogEntry>()
  const app = fastify({ logger: { stream } })
  t.teardown(() => app.close())
  await before(app)
  await app.register(headroom, options ?? {})
  const slow = (): LogEntry[] => lines().filter(({ slowRequest }) => slowRequest)
  return { app, slow }
}
