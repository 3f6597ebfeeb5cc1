import type { FastifyPluginAsync } from 'fastify'
import { type Dashboard, Dashboards } from '../dashboards.js'
import { notFound, type OfUser, PARAMS } from '../user-requests.js'

interface OneByOne { Querystring: { sequential?: '1' } }

const QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: { sequential: { type: 'string', const: '1' } }
}

/** A user, their posts and their friends: side by side it takes as long as the slowest of the three. */
const routes: FastifyPluginAsync = async (app) => {
  const dashboards = new Dashboards(app.pg.pool)

  app.get<OfUser & OneByOne>('/api/dashboard/:id', { schema: { params: PARAMS, querystring: QUERY } }, async (request): Promise<Dashboard> => {
    const { params: { id }, query: { sequential } } = request
    const dashboard = sequential === undefined
      ? await request.parallel({
        user: async () => await dashboards.user(id),
        posts: async () => await dashboards.posts(id),
        friends: async () => await dashboards.friends(id)
      })
      // For comparison: as it is written when nobody thinks about it.
      : { user: await dashboards.user(id), posts: await dashboards.posts(id), friends: await dashboards.friends(id) }
    return dashboard.user === null ? notFound(id) : dashboard
  })
}

export default routes
