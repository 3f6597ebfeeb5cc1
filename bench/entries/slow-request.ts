import Fastify, { type FastifyInstance } from 'fastify'
import type { ServerEntry } from '../entry.js'
import { USER } from '../users.js'

const BODY = JSON.stringify(USER)

/** The barest route there is, so that what is put around it shows. */
async function app (register: (app: FastifyInstance) => Promise<unknown>): Promise<FastifyInstance> {
  const app = Fastify()
  await register(app)
  app.get('/user', (_request, reply) => reply.type('application/json').send(BODY))
  return app
}

const entry: ServerEntry = {
  kind: 'server',
  title: 'slow-request, on and off, around a route that sends a ready string',
  baseline: 'off',
  path: '/user',
  variants: {
    off: async () => await app(async () => {}),
    on: async () => await app(async (app) => {
      const { default: slowRequest } = await import('fastify-headroom/slow-request')
      await app.register(slowRequest)
    }),
    'on, but not for this route': async () => await app(async (app) => {
      const { default: slowRequest } = await import('fastify-headroom/slow-request')
      await app.register(slowRequest, { global: false })
    })
  }
}

export default entry
