import parallel from 'fastify-headroom/parallel'
import fp from 'fastify-plugin'

/** Independent work side by side. Shown by routes/dashboard.ts. */
export default fp(async (app) => {
  await app.register(parallel, { deadline: '5s' })
}, { name: 'example-parallel' })
