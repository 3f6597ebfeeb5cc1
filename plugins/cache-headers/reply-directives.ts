import type { FastifyReply, FastifyRequest } from 'fastify'
import { format, formatTargeted, madePrivate, type Directives } from './cache-control.js'

export interface DirectivesSettings {
  cacheControl: Directives | undefined
  cdnCacheControl: Directives | undefined
  /** Besides 2xx and 304. */
  statuses: ReadonlySet<number>
  sharePersonal: boolean
}

/** Sets what a route says of its replies to caches. */
export type SetDirectives = (request: FastifyRequest, reply: FastifyReply) => void

const NO_STORE = 'no-store'

/** All texts are made at boot. @returns undefined where the route says nothing */
export function directivesOf ({ cacheControl, cdnCacheControl, statuses, sharePersonal }: DirectivesSettings): SetDirectives | undefined {
  if (cacheControl === undefined && cdnCacheControl === undefined) return undefined
  const shared = { own: cacheControl && format(cacheControl), cdn: cdnCacheControl && formatTargeted(cdnCacheControl) }
  const personal = {
    own: format(cacheControl === undefined ? new Map([['private', true as const]]) : madePrivate(cacheControl)),
    // Said in so many words: what a cache obeys of the two, and what it does where there is only one, differs.
    cdn: cdnCacheControl && NO_STORE
  }

  return (request, reply) => {
    const { statusCode } = reply
    if (!((statusCode >= 200 && statusCode < 300) || statusCode === 304 || statuses.has(statusCode))) {
      // Also in place of what a hook has set before it was known what the answer would be.
      reply.header('cache-control', NO_STORE)
      if (cdnCacheControl !== undefined || reply.hasHeader('cdn-cache-control')) reply.header('cdn-cache-control', NO_STORE)
      return
    }
    // What the handler says is of this very reply. A targeted field would overrule it.
    if (reply.hasHeader('cache-control')) return
    const isPersonal = !sharePersonal && (request.headers.authorization !== undefined || reply.hasHeader('set-cookie'))
    const { own, cdn } = isPersonal ? personal : shared
    if (own !== undefined) reply.header('cache-control', own)
    if (cdn !== undefined && !reply.hasHeader('cdn-cache-control')) reply.header('cdn-cache-control', cdn)
  }
}
