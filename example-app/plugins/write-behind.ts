import writeBehind, { type WriteBehind } from 'fastify-headroom/write-behind'
import fp from 'fastify-plugin'
import type { AppOptions } from '../app.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** By name; empty without Redis. */
    queues: Map<string, WriteBehind<any, any>>
  }
}

/** Write-behind through `app.redis`, where there is one. Shown by routes/profiles.ts, routes/views.ts and routes/queues.ts. */
export default fp<AppOptions>(async (app, { redisDurable }) => {
  app.decorate('queues', new Map())
  if (app.hasDecorator('redis')) await app.register(writeBehind, { prefix: 'headroom-example', durable: redisDurable })
}, { name: 'example-write-behind', dependencies: ['example-redis'] })
