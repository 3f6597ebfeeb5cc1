import type { FastifyPluginAsync } from 'fastify'
import type { WriteBehind } from 'fastify-headroom/write-behind'

const MOST_LETTERS = 10

/** What waits, and what could not be saved. */
const routes: FastifyPluginAsync = async (app) => {
  app.get('/api/queues', async () => ({
    writeBehind: app.queues.size > 0,
    queues: Object.fromEntries(await Promise.all(Array.from(app.queues, async ([name, queue]) => [name, await show(queue)] as const)))
  }))
}

async function show (queue: WriteBehind): Promise<object> {
  const [stats, letters] = await Promise.all([
    queue.stats(),
    // Without Redis they are not known, as the depth is not.
    queue.deadLetters({ count: MOST_LETTERS }).catch(() => undefined)
  ])
  // Not what a user has written; of the reason the code, because the database's text can quote that.
  return { stats, firstDead: letters?.map(({ id, version, tries, reason }) => ({ id, version, tries, reason: reason.split(':', 1)[0] })) }
}

export default routes
