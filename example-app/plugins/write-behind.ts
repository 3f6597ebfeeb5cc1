import writeBehind, { type CreateWriteBehind, type WriteBehind } from 'fastify-headroom/write-behind'
import fp from 'fastify-plugin'
import type { AppOptions } from '../app.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** What `app.writeBehind` has made, by name; empty without Redis. */
    queues: ReadonlyMap<string, WriteBehind>
    newQueue: CreateWriteBehind
  }
}

/**
 * Write-behind through `app.redis`, where there is one. Shown by routes/profiles.ts, routes/views.ts and routes/queues.ts.
 *
 * `app.writeBehind` remembers here what it makes: a resource of the cache makes its queue itself, and does not give it out.
 */
export default fp<AppOptions>(async (app, { redisDurable }) => {
  const queues = new Map<string, WriteBehind>()
  app.decorate('queues', queues)
  if (!app.hasDecorator('redis')) return
  await app.register(writeBehind, { prefix: 'headroom-example', durable: redisDurable, decorateAs: 'newQueue' })
  const create: CreateWriteBehind = (name, options) => {
    const queue = app.newQueue(name, options)
    queues.set(name, queue as WriteBehind<any, any>)
    return queue
  }
  app.decorate('writeBehind', create)
  // After Postgres: what was made last closes first, and what waits is saved while there still is a pool.
}, { name: 'example-write-behind', dependencies: ['example-redis', 'example-postgres'] })
