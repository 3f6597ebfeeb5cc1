import streamReply from 'fastify-headroom/stream-reply'
import fp from 'fastify-plugin'

/** Replies of any size, as they come from Postgres. Shown by routes/export.ts. */
export default fp(async (app) => {
  await app.register(streamReply, { pools: { main: app.pg.pool }, deadline: '5m' })
}, { name: 'example-stream-reply', dependencies: ['example-postgres'] })
