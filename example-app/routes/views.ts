import type { FastifyPluginAsync } from 'fastify'
import { MOST_INSTANCES, type RouteOptions } from '../app.js'
import { OwnCounts } from '../own-counts.js'
import { notFound, type OfUser, PARAMS, WRITTEN, type Written } from '../user-requests.js'
import { Views, type CountId } from '../views.js'

const INSTANCES = Array.from({ length: MOST_INSTANCES }, (_, index) => index + 1)

/**
 * A counter that is written behind: of many views only the last count of each instance is saved. It takes one example for a
 * database: instances of another one would count under the same numbers.
 */
const routes: FastifyPluginAsync<RouteOptions> = async (app, { instance }) => {
  const saved = new Views(app.pg.pool)
  const queue = app.hasDecorator('writeBehind')
    ? app.writeBehind<number, CountId>('views', {
      save: (id, value, { version }) => saved.saveMany([{ id, value, version }]),
      saveMany: (writes) => saved.saveMany(writes),
      fenced: true
    })
    : undefined
  if (queue !== undefined) app.queues.set('views', queue)
  const own = new OwnCounts(async (user) => {
    // What waits in a Redis that does not answer may be newer than the row.
    const [waiting] = await waitingOf(user, [instance]).catch(() => [undefined])
    return waiting === undefined ? undefined : Math.max(waiting, (await saved.find(user)).get(instance) ?? 0)
  })

  app.post<OfUser & Written>('/api/users/:id/views', {
    schema: { params: PARAMS, querystring: WRITTEN }
  }, async ({ params: { id }, query: { through } }, reply) => {
    await checkUser(id)
    const counted = queue !== undefined && through === undefined ? await own.add(id, (views) => queue.set(`${id}:${instance}`, views)) : undefined
    if (counted === undefined) await saved.addNow(id)
    return reply.header('x-written', counted?.queued === true ? 'behind' : 'through').code(204).send()
  })

  app.get<OfUser>('/api/users/:id/views', { schema: { params: PARAMS } }, async ({ params: { id } }) => {
    await checkUser(id)
    // What waits is asked for first: what is saved between the two is in the rows. While Redis is away, they are all there is.
    const waiting = await waitingOf(id, INSTANCES).catch(() => [])
    const rows = await saved.find(id)
    INSTANCES.forEach((instance, index) => rows.set(instance, Math.max(waiting[index] ?? 0, rows.get(instance) ?? 0)))
    return { views: Array.from(rows.values()).reduce((sum, views) => sum + views, 0) }
  })

  async function waitingOf (user: number, instances: readonly number[]): Promise<number[]> {
    const writes = await queue?.pendingMany(instances.map((instance): CountId => `${user}:${instance}`)) ?? []
    return writes.map((write) => write?.value ?? 0)
  }

  async function checkUser (id: number): Promise<void> {
    const exists = await app.cache.getOrSet(`user-exists:${id}`, async ({ ttl }) => {
      const found = await saved.hasUser(id)
      if (!found) ttl(0)
      return found
    }, { ttl: '1h' })
    if (!exists) notFound(id)
  }
}

export default routes
