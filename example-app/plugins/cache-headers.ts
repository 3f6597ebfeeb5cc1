import cacheHeaders from 'fastify-headroom/cache-headers'
import fp from 'fastify-plugin'

/** `Cache-Control`, validators and 304, as each route says. Shown by routes/posts.ts, routes/me.ts and routes/public-config.ts. */
export default fp(async (app) => {
  await app.register(cacheHeaders)
}, { name: 'example-cache-headers' })
