import cache from 'fastify-headroom/cache'
import fp from 'fastify-plugin'

/** Cache-aside over memory and, where there is one, `app.redis`. Shown by routes/users.ts. */
export default fp(async (app) => {
  await app.register(cache, { prefix: 'headroom-example' })
}, { name: 'example-cache', dependencies: ['example-redis'] })
