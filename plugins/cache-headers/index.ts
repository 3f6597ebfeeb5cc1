import etag from '@fastify/etag'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { boolean, complaint, custom, INVALID, keys, orBoolean, resolveOptions, string, type Option } from '../shared/options.js'
import { onConfiguredRoute } from '../shared/route-config.js'
import { appendRouteHook, prependRouteHook, wrapHandler } from '../shared/route-hooks.js'
import { addSendStage } from '../shared/send-stages.js'
import { cacheControl, targetedCacheControl, type CacheControl } from './cache-control.js'
import { ConditionalReplies } from './conditional-replies.js'
import { contentTag, type ContentTag } from './content-tag.js'
import { OptionError } from './errors.js'
import { directivesOf } from './reply-directives.js'
import { VersionCheck, type Precondition } from './version-check.js'
import { type Asked, type Version } from './versions.js'

export type { CacheControl } from './cache-control.js'
export { PreconditionFailedError } from './errors.js'
export { microsecondDates, type MicrosecondDate, type TypeParsers } from './microsecond-dates.js'
export type { Precondition } from './version-check.js'
export type { Version } from './versions.js'

export interface CacheHeadersRouteOptions {
  /** Of replies with a status of 2xx, with 304, and of `statuses`; all others get `no-store`. Default: the plugin's, else none is sent. */
  cacheControl?: CacheControl | string
  /** What CDNs obey in its place (RFC 9213). Default: the plugin's, else none is sent. */
  cdnCacheControl?: CacheControl | string
  /** More statuses that both are sent with, such as 404. Default: the plugin's, else none. */
  statuses?: readonly number[]
  /**
   * Whether shared caches may keep also what sets a cookie, and what was asked for with Authorization: else its Cache-Control is
   * `private`, and its CDN-Cache-Control `no-store`. Default: the plugin's, else `false`.
   */
  sharePersonal?: boolean
  /** Whether a reply of GET or HEAD without a tag gets one of its content. Default `true`, or as the plugin's. */
  etag?: boolean
  /**
   * The version of the resource. Asked before the handler, without a payload: a fresh client gets its 304 without that the handler is
   * called, and conditions of other methods are judged. Asked after it with what it returned: that is the tag that is sent. One that
   * declares less than two parameters is asked both times of every request, and a tag is sent only if it says the same.
   */
  version?: Version
}

export interface CacheHeadersOptions extends Omit<CacheHeadersRouteOptions, 'version' | 'etag'> {
  /** How @fastify/etag makes tags of content; `false`: only on routes that say so. Default `true`, of SHA-256. */
  etag?: ContentTagOptions | boolean
  /** Whether routes that do not say `config.cacheHeaders` have it. Default `true`. */
  global?: boolean
  /** The name of the request's property. Default `'precondition'`. */
  decorateAs?: string
  /** Wall clock, milliseconds since the epoch. Default `Date.now`. */
  now?: () => number
}

/** As @fastify/etag takes them. */
export interface ContentTagOptions {
  /** Of `crypto.createHash`. */
  algorithm?: string
  hashFn?: (payload: string) => string
  weak?: boolean
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `false` switches it off, an object sets this route's own. */
    cacheHeaders?: CacheHeadersRouteOptions | boolean
  }
  interface FastifyRequest {
    /**
     * What the client's condition was about, where there is one and it holds; of methods other than GET and HEAD, with `version`.
     * Undefined for `If-Match: *`, which every version meets.
     */
    precondition: Precondition | undefined
  }
}

const STATUSES: Option<readonly number[] | undefined> = {
  expected: 'an array of statuses from 300 to 599',
  read: (value) => value === undefined || (Array.isArray(value) && value.every((status) => Number.isInteger(status) && status >= 300 && status < 600)) ? value as number[] | undefined : INVALID
}
const DIRECTIVES = { cacheControl, cdnCacheControl: targetedCacheControl, statuses: STATUSES, sharePersonal: boolean(undefined) }
const OPTIONS = {
  ...DIRECTIVES,
  etag: orBoolean(keys<ContentTagOptions>(['algorithm', 'hashFn', 'weak'])),
  global: boolean(true),
  decorateAs: string('precondition'),
  now: custom('a function that returns milliseconds', (value): value is () => number => typeof value === 'function')
}
const ROUTE_OPTIONS = {
  ...DIRECTIVES,
  etag: boolean(undefined),
  version: custom('a function of the request and the payload', (value): value is Version => typeof value === 'function')
}

const cacheHeaders: FastifyPluginAsync<CacheHeadersOptions> = async (app, raw) => {
  const { etag: tagging, global, decorateAs, now = Date.now, ...byDefault } = resolveOptions(OPTIONS, raw, 'options', OptionError)
  const tagOf = await generator(tagging === false ? {} : tagging)
  if (!app.hasRequestDecorator(decorateAs)) app.decorateRequest(decorateAs, undefined)
  const asked = new WeakMap<FastifyRequest, Asked>()

  onConfiguredRoute(app, {
    key: 'cacheHeaders',
    global,
    OptionError,
    resolve: (own, place) => {
      const { etag: isTagged = tagging !== false, version, ...given } = resolveOptions(ROUTE_OPTIONS, own, place, OptionError)
      return {
        tagOf: isTagged ? tagOf : undefined,
        version,
        setDirectives: directivesOf({
          cacheControl: given.cacheControl ?? byDefault.cacheControl,
          cdnCacheControl: given.cdnCacheControl ?? byDefault.cdnCacheControl,
          statuses: new Set(given.statuses ?? byDefault.statuses),
          sharePersonal: given.sharePersonal ?? byDefault.sharePersonal ?? false
        })
      }
    }
  }, (route, own) => {
    if (own.version !== undefined) {
      const check = new VersionCheck({ version: own.version, now, asked, decorateAs })
      wrapHandler(route, (handle, request, reply) => check.around(handle, request, reply))
      // Of what `reply.send` is given, before a hook makes something else of it.
      prependRouteHook(route, 'preSerialization', (request, _reply, payload, done) => {
        const noted = asked.get(request)
        if (noted !== undefined) noted.payload ??= payload
        done(null, payload)
      })
      appendRouteHook(route, 'onError', (request, _reply, _error, done) => {
        const noted = asked.get(request)
        if (noted !== undefined) noted.isOver = true
        done()
      })
    }
    const replies = new ConditionalReplies({ ...own, now, asked })
    addSendStage(route, 'validators', (request, reply, payload) => {
      own.setDirectives?.(request, reply)
      return replies.send(request, reply, payload)
    })
  })
}

async function generator (options: ContentTagOptions = {}): Promise<ContentTag> {
  try {
    return await contentTag(etag, options)
  } catch (error) {
    throw new OptionError(complaint('options.etag', 'the options of @fastify/etag', `what it refuses: ${(error as Error).message}`))
  }
}

export default fp(cacheHeaders, { name: 'headroom-cache-headers', fastify: '5.x' })
