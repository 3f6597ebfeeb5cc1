import type { FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import { build } from './app.js'
import type { Backends } from './backends.js'
import type { Config } from './config.js'
import { listenError } from './port.js'

export interface Instance {
  app: FastifyInstance
  url: string
}

/** Builds the app and listens. */
export async function startInstance (
  config: Config, backends: Pick<Backends, 'databaseUrl' | 'redisUrl' | 'redisDurable'>, number = 1
): Promise<Instance> {
  const app = await build({
    databaseUrl: backends.databaseUrl,
    redisUrl: backends.redisUrl,
    redisDurable: backends.redisDurable,
    poolMax: config.POOL_MAX,
    tokenSecret: config.TOKEN_SECRET,
    logLevel: config.LOG_LEVEL,
    instance: number
  })
  try {
    await app.listen({ host: config.HOST, port: config.PORT })
  } catch (error) {
    await app.close()
    throw listenError(error, config)
  }
  const { port } = app.server.address() as AddressInfo
  return { app, url: `http://${config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST}:${port}` }
}
