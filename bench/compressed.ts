import type { FastifyInstance } from 'fastify'
import type { ServerEntry } from './entry.js'
import { USER } from './users.js'

const PEERS = '@fastify/etag + @fastify/compress'

/**
 * A client that has nothing yet asks for an object of 2.5 KB, which Fastify serialises.
 *
 * @param coding the only one that it accepts
 */
export function compressedEntry (coding: 'br' | 'gzip' | 'identity'): ServerEntry {
  const replied = { ...coding !== 'identity' && { encoding: coding }, isTagged: true }
  return {
    kind: 'server',
    title: `GET of an object of 2.5 KB, with a tag, ${coding === 'identity' ? 'as it is' : `in ${coding}`}`,
    path: '/user',
    headers: { 'accept-encoding': coding },
    baseline: 'bare',
    variants: {
      bare: async () => await app(async () => {}),
      [PEERS]: async () => await app(async (app) => {
        const [{ default: etag }, { default: compress }] = await Promise.all([import('@fastify/etag'), import('@fastify/compress')])
        await app.register(etag)
        await app.register(compress)
      }),
      headroom: async () => await app(async (app) => {
        const [{ default: cacheHeaders }, { default: compression }] = await Promise.all([import('fastify-headroom/cache-headers'), import('fastify-headroom/compression')])
        await app.register(cacheHeaders)
        // A closed loop keeps the event loop busy all the time: to compress less then, or not at all, would flatter us.
        await app.register(compression, { shed: false })
      })
    },
    replies: { [PEERS]: replied, headroom: replied },
    expectations: [{ variant: 'headroom', of: PEERS, metric: 'cpu', atMost: 1 }]
  }
}

async function app (register: (app: FastifyInstance) => Promise<void>): Promise<FastifyInstance> {
  const { default: Fastify } = await import('fastify')
  const app = Fastify()
  await register(app)
  app.get('/user', async () => USER)
  return app
}
