import type { FastifyPluginAsync } from 'fastify'

/** How the app is, for people and for load balancers; asks neither Postgres nor Redis. */
const routes: FastifyPluginAsync = async (app) => {
  app.get('/api/health', async () => ({
    status: 'ok',
    redis: app.hasDecorator('redis') ? app.redis.status : 'none',
    pools: app.poolHealth.status(),
    cache: app.cache.stats()
  }))
}

export default routes
