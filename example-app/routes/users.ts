import type { FastifyPluginAsync } from 'fastify'
import { USER_CHANGES } from '../request-bodies.js'
import { httpError, LARGEST_ID, MOST_IDS, notFound, type OfUser, PARAMS } from '../user-requests.js'
import { Users, type UserChanges } from '../users.js'

const IDS = {
  type: 'object',
  required: ['ids'],
  properties: { ids: { type: 'string', pattern: `^\\d{1,10}(,\\d{1,10}){0,${MOST_IDS - 1}}$` } }
}
const UNIQUE_VIOLATION = '23505'

const keyOf = (id: number): string => `user:${id}`

/** Cache-aside, one by one and in batches: read through the cache, write to the database, then delete the key. */
const routes: FastifyPluginAsync = async (app) => {
  const users = new Users(app.pg.pool)

  app.get<OfUser>('/api/users/:id', { schema: { params: PARAMS } }, async (request, reply) => {
    const { id } = request.params
    let servedFrom = 'cache'
    const user = await app.cache.getOrSet(keyOf(id), async ({ ttl }) => {
      servedFrom = 'database'
      const found = await users.find(id)
      if (found === undefined) ttl(0) // A user missing now may exist in a moment: it is asked for again.
      return found
    }, { ttl: '1h' })
    reply.header('x-served-from', servedFrom)
    return user ?? notFound(id)
  })

  app.get<{ Querystring: { ids: string } }>('/api/users', { schema: { querystring: IDS } }, async (request) => {
    const ids = request.query.ids.split(',').map(Number).filter((id) => id <= LARGEST_ID)
    const found = await app.cache.getMany(ids, { key: keyOf, load: (missing) => users.findMany(missing), ttl: '1h' })
    return found.filter((user) => user !== undefined)
  })

  app.put<OfUser & { Body: UserChanges }>('/api/users/:id', { schema: { params: PARAMS, body: USER_CHANGES } }, async (request) => {
    const { id } = request.params
    try {
      return await users.update(id, request.body) ?? notFound(id)
    } catch (error) {
      throw isUniqueViolation(error) ? httpError(409, 'Another user has this email') : error
    } finally {
      // Also when it failed: a connection that is lost after the commit fails, and the database has the new user.
      await app.cache.delete(keyOf(id))
    }
  })
}

function isUniqueViolation (error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === UNIQUE_VIOLATION
}

export default routes
