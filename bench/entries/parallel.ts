import { setTimeout as delay } from 'node:timers/promises'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { ServerEntry } from '../entry.js'

const user = async (): Promise<string> => await delay(5, 'Ada')
const posts = async (): Promise<string[]> => await delay(8, ['a post'])
const friends = async (): Promise<string[]> => await delay(6, ['a friend'])

/** A dashboard of three parts that need nothing of each other, and take 5, 8 and 6 ms. */
async function app (load: (request: FastifyRequest) => Promise<object>, register: (app: FastifyInstance) => Promise<unknown> = async () => {}): Promise<FastifyInstance> {
  const app = Fastify()
  await register(app)
  app.get('/dashboard', load)
  return app
}

const entry: ServerEntry = {
  kind: 'server',
  title: 'a dashboard of three parts, which take 5, 8 and 6 ms',
  path: '/dashboard',
  baseline: 'Promise.all',
  variants: {
    'Promise.all': async () => await app(async () => {
      const [own, written, known] = await Promise.all([user(), posts(), friends()])
      return { user: own, posts: written, friends: known }
    }),
    'request.parallel': async () => {
      const { default: parallel } = await import('fastify-headroom/parallel')
      return await app(async (request) => await request.parallel({ user, posts, friends }), async (app) => { await app.register(parallel) })
    },
    'request.parallel, with a deadline': async () => {
      const { default: parallel } = await import('fastify-headroom/parallel')
      return await app(async (request) => await request.parallel({ user, posts, friends }), async (app) => { await app.register(parallel, { deadline: '5s' }) })
    },
    'one after the other': async () => await app(async () => ({ user: await user(), posts: await posts(), friends: await friends() }))
  },
  expectations: [
    { variant: 'request.parallel', of: 'one after the other', atLeast: 1.5 }
  ]
}

export default entry
