import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import cacheHeaders, { type CacheHeadersOptions } from '../../plugins/cache-headers/index.js'
import { connectTo, newApp, type HttpClient, type Protocol } from '../helpers/http-client.js'
import { captureLog } from '../helpers/log-capture.js'

export interface Wishes {
  protocol?: Protocol
  options?: CacheHeadersOptions
  routes: (app: FastifyInstance) => void | Promise<void>
}

export interface Built extends HttpClient {
  app: FastifyInstance
  /** What the app logged as an error. */
  errors: () => Array<Record<string, unknown>>
}

/** A client of an app that listens and has the plugin at its root. */
export async function buildApp (t: Test, { protocol = 'HTTP/1.1', options = {}, routes }: Wishes): Promise<Built> {
  const { stream, lines } = captureLog()
  const app = newApp(t, protocol, { logger: { stream, level: 'error' } })
  await app.register(cacheHeaders, options)
  await routes(app)
  return { app, errors: lines, ...await connectTo(t, app) }
}
