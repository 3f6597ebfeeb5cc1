import type { FastifyPluginAsync } from 'fastify'
import { setTimeout as delay } from 'node:timers/promises'
import type { PoolClient } from 'pg'
import { httpError } from '../user-requests.js'

interface Work { Querystring: { ms: number } }
interface Leak { Querystring: { seconds: number } }

const WORK = {
  type: 'object',
  additionalProperties: false,
  properties: { ms: { type: 'integer', minimum: 0, maximum: 2_000, default: 50 } }
}
const LEAK = {
  type: 'object',
  additionalProperties: false,
  properties: { seconds: { type: 'integer', minimum: 1, maximum: 60, default: 15 } }
}

/** A pool that is exhausted: who would wait for too long is refused at once. And a connection that does not come back. */
const routes: FastifyPluginAsync = async (app) => {
  app.get<Work>('/api/pool/work', {
    schema: { querystring: WORK }, config: { poolHealth: { deadline: '250ms' } }
  }, async ({ query: { ms } }) => await work(ms))

  /** For comparison: it waits for as long as the driver lets it, and then it is an error. */
  app.get<Work>('/api/pool/work-unguarded', { schema: { querystring: WORK } }, async ({ query: { ms } }) => await work(ms))

  /** Holds a connection for so long. */
  async function work (ms: number): Promise<object> {
    await app.poolHealth.query('SELECT pg_sleep($1)', [ms / 1_000])
    return { held: ms }
  }

  let isHeld = false
  const closing = new AbortController()
  app.addHook('onClose', async () => { closing.abort() })

  /** Answers at once, and gives the connection back only after so many seconds: the log says who has it, and when it comes back. */
  app.post<Leak>('/api/pool/leak', { schema: { querystring: LEAK } }, async ({ query: { seconds } }, reply) => {
    if (isHeld) throw httpError(409, 'A connection is held already')
    isHeld = true
    const client = await app.pg.pool.connect().catch((error: unknown) => {
      isHeld = false
      throw error
    })
    void hold(client, seconds)
    return await reply.code(202).send({ held: seconds })
  })

  async function hold (client: PoolClient, seconds: number): Promise<void> {
    await delay(seconds * 1_000, undefined, { signal: closing.signal, ref: false }).catch(() => {})
    client.release()
    isHeld = false
  }
}

export default routes
