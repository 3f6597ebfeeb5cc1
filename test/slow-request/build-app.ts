import { EventEmitter, once } from 'node:events'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { type Clock, manualClock } from '../helpers/clock.js'
import { captureLog } from '../helpers/log-capture.js'
import slowRequest, { type SlowRequestLine, type SlowRequestOptions } from '../../plugins/slow-request/index.js'

export interface LogEntry extends Record<string, unknown> {
  level: number
  msg: string
  reqId?: string
  slowRequest?: SlowRequestLine
}

export interface Watched {
  app: FastifyInstance
  clock: Clock
  /** What the app logged as slow, in order. */
  slow: () => LogEntry[]
  /** The same lines, as the bytes that were written. */
  slowText: () => string[]
  /** Resolves when this many replies have closed, whether they were complete or not. */
  closed: (count: number) => Promise<void>
}

export interface Wishes {
  options?: SlowRequestOptions
  server?: Record<string, unknown>
  routes: (app: FastifyInstance, clock: Clock) => void | Promise<void>
}

/** An app with the plugin at its root, whose clock moves only when a handler moves it. */
export async function buildApp (t: Test, { options, server, routes }: Wishes): Promise<Watched> {
  const clock = manualClock()
  const { stream, text } = captureLog()
  const app = fastify({ logger: { stream }, ...server }) as unknown as FastifyInstance
  t.teardown(() => app.close())

  await app.register(slowRequest, { now: clock.now, ...options })
  const replies = new EventEmitter()
  const count = { closed: 0 }
  app.addHook('onRequest', (_request, reply, done) => {
    reply.raw.once('close', () => {
      count.closed++
      replies.emit('closed')
    })
    done()
  })
  await routes(app, clock)
  await app.ready()

  const slowText = (): string[] => text().split('\n').filter((line) => line !== '' && Object.hasOwn(JSON.parse(line) as object, 'slowRequest'))
  return {
    app,
    clock,
    slowText,
    slow: () => slowText().map((line) => JSON.parse(line) as LogEntry),
    async closed (wanted) {
      while (count.closed < wanted) await once(replies, 'closed')
    }
  }
}

/** The port that the app listens on, on 127.0.0.1. */
export async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}
