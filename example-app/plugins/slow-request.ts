import slowRequest from 'fastify-headroom/slow-request'
import fp from 'fastify-plugin'

/** A line for each request over half a second. */
export default fp(async (app) => {
  await app.register(slowRequest, { threshold: '500ms' })
}, { name: 'example-slow-request' })
