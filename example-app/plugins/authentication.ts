import type { onRequestAsyncHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import type { AppOptions } from '../app.js'
import { Tokens } from '../tokens.js'
import { httpError } from '../user-requests.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** For a route's `onRequest`: sets the request's `userId`, or answers 401. */
    authenticate: onRequestAsyncHookHandler
  }
  interface FastifyRequest {
    /** Of routes behind `authenticate`; elsewhere 0. */
    userId: number
  }
}

/** `Authorization: Bearer <token>`. Shown by routes/me.ts. */
export default fp<AppOptions>(async (app, { tokenSecret }) => {
  const tokens = new Tokens(tokenSecret)
  app.decorateRequest('userId', 0)
  app.decorate('authenticate', async (request, reply) => {
    const [, token = ''] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? []
    const user = tokens.userOf(token)
    if (user === undefined) {
      reply.header('www-authenticate', 'Bearer realm="headroom-example"')
      throw httpError(401, 'This needs the token of a user')
    }
    request.userId = user
  })
}, { name: 'example-authentication' })
