import compression from 'fastify-headroom/compression'
import fp from 'fastify-plugin'

/** Replies of a kilobyte and more, in the coding that the client likes best. Shown by routes/public-config.ts. */
export default fp(async (app) => {
  await app.register(compression)
}, { name: 'example-compression' })
