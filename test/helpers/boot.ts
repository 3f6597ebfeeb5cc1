import fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'

/** Boots an app with a plugin whose options may be wrong, and closes it. @throws what stops the boot */
export async function boot<Options extends object> (plugin: FastifyPluginAsync<Options>, options: unknown, routes: (app: FastifyInstance) => void = () => {}): Promise<void> {
  const app = fastify() as unknown as FastifyInstance
  try {
    await app.register(plugin, options as never)
    routes(app)
    await app.ready()
  } finally {
    await app.close()
  }
}
