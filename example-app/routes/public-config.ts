import type { FastifyPluginAsync } from 'fastify'
import { POST_CHANGES, PROFILE, USER_CHANGES } from '../request-bodies.js'
import { LARGEST_ID, MOST_IDS } from '../user-requests.js'

/** The same for everybody, and rarely changed: a browser keeps it for an hour, a CDN, which can be purged, for a day. */
const routes: FastifyPluginAsync = async (app) => {
  const config = {
    limits: { largestId: LARGEST_ID, idsInOneRequest: MOST_IDS, bodyBytes: app.initialConfig.bodyLimit },
    features: { writeBehind: app.hasDecorator('writeBehind') },
    bodies: {
      'PUT /api/users/:id': USER_CHANGES,
      'PUT /api/users/:id/profile': PROFILE,
      'PUT /api/posts/:id': POST_CHANGES
    }
  }

  app.get('/api/config', {
    config: { cacheHeaders: { cacheControl: { public: true, maxAge: '1h' }, cdnCacheControl: { public: true, maxAge: '1d' } } }
  }, async () => config)
}

export default routes
