import type { FastifyPluginAsync } from 'fastify'

/** How the app is, for people and for load balancers. */
const routes: FastifyPluginAsync = async (app) => {
  /** Asks neither Postgres nor Redis. */
  app.get('/api/health', async () => ({
    status: 'ok',
    redis: app.hasDecorator('redis') ? app.redis.status : 'none',
    pools: app.poolHealth.status(),
    advice: app.poolHealth.advise(),
    cache: app.cache.stats()
  }))

  /** Whether to send it requests: 503 while Postgres is away, and from the moment that it closes. */
  app.get('/api/ready', { config: { cacheHeaders: { cacheControl: { noStore: true } } } }, async (_request, reply) => {
    const ready = await app.poolHealth.isReady()
    return await reply.code(ready ? 200 : 503).send({ ready })
  })
}

export default routes
