import type { FastifyPluginAsync } from 'fastify'
import type { Write } from 'fastify-headroom/write-behind'
import { Profiles, type Profile } from '../profiles.js'
import { PROFILE } from '../request-bodies.js'
import { notFound, type OfUser, PARAMS, WRITTEN, type Written } from '../user-requests.js'

/** A resource that is written behind: answered once it waits in Redis, and from then on what everybody reads. */
const routes: FastifyPluginAsync = async (app) => {
  const saved = new Profiles(app.pg.pool)
  const load = (id: number): Promise<Profile | undefined> => saved.find(id)
  const profiles = app.cache.resource<Profile | undefined, number>('profiles', app.hasDecorator('writeBehind')
    ? {
        ttl: '1h',
        load,
        write: 'behind',
        save: (id, profile, { version }) => saved.save(id, profile!, version),
        queue: { fenced: true, saveMany: (writes) => saved.saveMany(writes as Array<Write<Profile, number>>) }
      }
    : { ttl: '1h', load, write: 'through', save: (id, profile) => saved.saveNow(id, profile!) })
  const { queue } = profiles
  if (queue !== undefined) app.queues.set('profiles', queue)

  app.get<OfUser>('/api/users/:id/profile', { schema: { params: PARAMS } }, async ({ params: { id } }) => await profiles.get(id) ?? notFound(id))

  app.put<OfUser & Written & { Body: Profile }>('/api/users/:id/profile', {
    schema: { params: PARAMS, querystring: WRITTEN, body: PROFILE }
  }, async ({ params: { id }, query: { through }, body }, reply) => {
    if (await profiles.get(id) === undefined) notFound(id)
    await profiles.set(id, body)
    if (through !== undefined) await saveWhatWaits(id)
    reply.header('x-written', queue === undefined || through !== undefined ? 'through' : 'behind')
    return body
  })

  /** Does not wait for its turn. When that comes, the queue saves it once more, which by its version changes nothing. */
  async function saveWhatWaits (id: number): Promise<void> {
    const waiting = await queue?.pending(id)
    if (waiting !== undefined) await saved.save(id, waiting.value!, waiting.version)
  }
}

export default routes
