import type { FastifyPluginAsync } from 'fastify'
import { PreconditionFailedError, type CacheControl, type Version } from 'fastify-headroom/cache-headers'
import { Posts, type Post, type PostChanges } from '../posts.js'
import { POST_CHANGES } from '../request-bodies.js'
import { httpError, PARAMS } from '../user-requests.js'

interface OfPost { Params: { id: number } }

/** Anybody may keep it, and asks each time whether it still is what it was. */
const cacheControl: CacheControl = { public: true, noCache: true }

/** By its version a client that has the post gets 304 before it is read, and one that has an older one overwrites nothing. */
const routes: FastifyPluginAsync = async (app) => {
  const posts = new Posts(app.pg.pool)
  const version: Version = ({ params: { id } }, post?: Post) => post === undefined ? posts.version(id) : post.updated_at

  app.get<OfPost>('/api/posts/:id', {
    schema: { params: PARAMS }, config: { cacheHeaders: { cacheControl, version } }
  }, async ({ params: { id } }) => await posts.find(id) ?? noPost(id))

  app.put<OfPost & { Body: PostChanges }>('/api/posts/:id', {
    schema: { params: PARAMS, body: POST_CHANGES }, config: { cacheHeaders: { version } }
  }, async ({ params: { id }, body, precondition }) => {
    // Once more, in the statement itself: another request can have written since the version was looked at.
    const post = precondition?.version === null ? undefined : await posts.update(id, body, precondition?.version)
    if (post === undefined && precondition?.version) throw new PreconditionFailedError()
    return post ?? noPost(id)
  })

  /** For comparison: the tag is made of the reply, so the post is read and serialized each time. */
  app.get<OfPost>('/api/posts-by-content/:id', {
    schema: { params: PARAMS }, config: { cacheHeaders: { cacheControl } }
  }, async ({ params: { id } }) => await posts.find(id) ?? noPost(id))
}

function noPost (id: number): never {
  throw httpError(404, `There is no post ${id}`)
}

export default routes
