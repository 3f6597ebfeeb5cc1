import autoload from '@fastify/autoload'
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify'
import { STATUS_CODES } from 'node:http'
import { fileURLToPath } from 'node:url'

/** What each file in plugins/ is given. */
export interface AppOptions {
  databaseUrl: string
  /** Without it, the cache has its memory tier only, and nothing is written behind. */
  redisUrl: string | undefined
  /** Whether Redis is set to keep what it is given: then the boot insists on it. */
  redisDurable: boolean
  poolMax: number
  /** Who holds a connection of Postgres for longer is told of in the log. Default `'10s'`. */
  leakThreshold?: string
  /** Signs the tokens of users; all instances have the same. */
  tokenSecret: string
}

/** What each file in routes/ is given. */
export interface RouteOptions {
  instance: number
}

/** How many processes of the app there can be. */
export const MOST_INSTANCES = 16

export interface BuildOptions extends AppOptions {
  logLevel: string
  /** The number of this process among `--instances`, from 1 to `MOST_INSTANCES`; each reply carries it as `x-instance`. */
  instance?: number
}

/** The app, ready to listen: clients and techniques from plugins/, then routes/, so that every technique sees every route. */
export async function build ({ logLevel, instance = 1, ...options }: BuildOptions): Promise<FastifyInstance> {
  const app = Fastify({
    logger: { level: logLevel },
    // A misspelt field is an error, not something to drop silently.
    ajv: { customOptions: { removeAdditional: false } }
  })
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('x-instance', instance)
    done()
  })
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const { statusCode = 500 } = error
    if (statusCode < 500) return reply.send(error)
    // What the database says is for the log: it can quote rows, and it tells of tables.
    request.log.error({ err: error }, 'request failed')
    const message = statusCode === 503 ? 'Too busy just now: come again' : 'Something went wrong here'
    return reply.code(statusCode).send({ statusCode, error: STATUS_CODES[statusCode], message })
  })
  finishConnections(app)
  try {
    await app.register(autoload, { dir: folder('plugins'), options, encapsulate: false, forceESM: true })
    await app.register(autoload, { dir: folder('routes'), options: { prefix: '', instance } satisfies RouteOptions & { prefix: string }, dirNameRoutePrefix: false, forceESM: true })
    return await app
  } catch (error) {
    // The clients are connected by now.
    await app.close()
    throw error
  }
}

/**
 * A connection that is in use when the app closes would stay open, idle, until its keep-alive timeout, and hold up the
 * close that long: its last reply says that it ends there.
 */
function finishConnections (app: FastifyInstance): void {
  let closing = false
  app.addHook('preClose', async () => { closing = true })
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close')
    done(null, payload)
  })
}

function folder (name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}
