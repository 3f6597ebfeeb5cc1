import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import compression, { type CompressionOptions } from '../../plugins/compression/index.js'
import { SUPPORTED } from '../../plugins/compression/codings.js'
import { connectTo, newApp, type HttpClient, type Protocol } from '../helpers/http-client.js'
import { captureLog } from '../helpers/log-capture.js'

export const ENCODINGS = SUPPORTED

/** Above every threshold, and so small that it is compressed at once; so large that it is not. */
export const TEXT = 'Of all that is said, most was said before. '.repeat(60)
export const LONG_TEXT = Array.from({ length: 5_000 }, (_, index) => `row ${index} of what is said`).join('\n')
/** That nothing makes smaller. */
export const NOISE = randomBytes(2_500).toString('base64')

export interface Wishes {
  protocol?: Protocol
  options?: CompressionOptions
  routes: (app: FastifyInstance) => void | Promise<void>
  /** Registered before the plugin. */
  before?: (app: FastifyInstance) => Promise<void>
}

export interface Built extends HttpClient {
  app: FastifyInstance
  /** What the app logged as an error. */
  errors: () => Array<Record<string, unknown>>
}

/** A client of an app that listens and has the plugin at its root; how busy the machine is does not matter to it. */
export async function buildApp (t: Test, { protocol = 'HTTP/1.1', options = {}, routes, before }: Wishes): Promise<Built> {
  const { stream, lines } = captureLog()
  const app = newApp(t, protocol, { logger: { stream, level: 'error' } })
  await before?.(app)
  await app.register(compression, { shed: false, ...options })
  await routes(app)
  return { app, errors: lines, ...await connectTo(t, app) }
}
