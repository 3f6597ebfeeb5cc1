import type { FastifyPluginAsync } from 'fastify'
import { notFound } from '../user-requests.js'
import { Users } from '../users.js'

/** What one user may see: no cache but that user's own keeps it, and that one asks each time. */
const routes: FastifyPluginAsync = async (app) => {
  const users = new Users(app.pg.pool)

  app.get('/api/me', {
    onRequest: app.authenticate,
    config: { cacheHeaders: { cacheControl: { private: true, noCache: true } } }
  }, async ({ userId }) => await users.find(userId) ?? notFound(userId))
}

export default routes
