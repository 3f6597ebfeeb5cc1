import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { CacheOptions } from './cache/index.js'
import type { CacheHeadersOptions } from './cache-headers/index.js'
import type { CompressionOptions } from './compression/index.js'
import { OptionError } from './errors.js'
import type { ParallelPluginOptions } from './parallel/index.js'
import type { PoolHealthOptions } from './pool-health/index.js'
import { resolveOptions, type Option, INVALID } from './shared/options.js'
import type { SlowRequestOptions } from './slow-request/index.js'
import type { StreamReplyOptions } from './stream-reply/index.js'
import type { WriteBehindPluginOptions } from './write-behind/index.js'

export type { CacheHeadersOptions, CacheOptions, CompressionOptions, ParallelPluginOptions, PoolHealthOptions, SlowRequestOptions, StreamReplyOptions, WriteBehindPluginOptions }

/** Each technique: `false` leaves it out, `true` or an object registers it with those options. */
export interface HeadroomOptions {
  /** Default `true`. */
  slowRequest?: SlowRequestOptions | boolean
  /** Default `true`, with `app.redis` where there is one. */
  cache?: CacheOptions | boolean
  /** Default `true`: `request.parallel`. */
  parallel?: ParallelPluginOptions | boolean
  /** Default: on where there is a pool to watch, `app.pg` of @fastify/postgres. */
  poolHealth?: PoolHealthOptions | boolean
  /** Default `false`: it needs a Redis that keeps what it is given. */
  writeBehind?: WriteBehindPluginOptions | boolean
  /** Default `true`: `reply.streamQuery` where there is a pool of pg, and `reply.streamRows`. */
  streamReply?: StreamReplyOptions | boolean
  /** Default `true`: tags of content, and no Cache-Control where none is given. */
  cacheHeaders?: CacheHeadersOptions | boolean
  /** Default `true`. */
  compression?: CompressionOptions | boolean
}

const OPTIONS = {
  slowRequest: technique<SlowRequestOptions>(),
  parallel: technique<ParallelPluginOptions>(),
  cache: technique<CacheOptions>(),
  poolHealth: technique<PoolHealthOptions>(),
  writeBehind: technique<WriteBehindPluginOptions>(),
  streamReply: technique<StreamReplyOptions>(),
  cacheHeaders: technique<CacheHeadersOptions>(),
  compression: technique<CompressionOptions>()
}

/**
 * The whole suite, in the order that docs/architecture.md gives. A technique that is switched off is not even loaded.
 * `await` its registration, so that routes added after it are seen.
 */
const headroom: FastifyPluginAsync<HeadroomOptions> = async (app, raw) => {
  const options = resolveOptions(OPTIONS, raw, 'options', OptionError)
  // First the clock of the latency plugin, so that it times what the others do.
  const slowRequest = optionsOf(options.slowRequest, true)
  if (slowRequest) await app.register(await load(import('./slow-request/index.js')), slowRequest)
  const parallel = optionsOf(options.parallel, true)
  if (parallel) await app.register(await load(import('./parallel/index.js')), parallel)
  const poolHealth = optionsOf(options.poolHealth, await hasPools(app))
  if (poolHealth) await app.register(await load(import('./pool-health/index.js')), poolHealth)
  const writeBehind = optionsOf(options.writeBehind, false)
  if (writeBehind) await app.register(await load(import('./write-behind/index.js')), writeBehind)
  const cache = optionsOf(options.cache, true)
  if (cache) await app.register(await load(import('./cache/index.js')), cache)
  const streamReply = optionsOf(options.streamReply, true)
  if (streamReply) await app.register(await load(import('./stream-reply/index.js')), streamReply)
  const cacheHeaders = optionsOf(options.cacheHeaders, true)
  if (cacheHeaders) await app.register(await load(import('./cache-headers/index.js')), cacheHeaders)
  const compression = optionsOf(options.compression, true)
  if (compression) await app.register(await load(import('./compression/index.js')), compression)
}

async function hasPools (app: FastifyInstance): Promise<boolean> {
  return app.hasDecorator('pg') && (await import('./shared/host-pools.js')).pgPoolsOfHost(app) !== undefined
}

async function load<Plugin> (module: Promise<{ default: Plugin }>): Promise<Plugin> {
  return (await module).default
}

function optionsOf<Own extends object> (given: Own | boolean | undefined, byDefault: boolean): Own | Record<string, never> | false {
  const value = given ?? byDefault
  return value === true ? {} : value
}

function technique<Own extends object> (): Option<Own | boolean | undefined> {
  return {
    expected: 'true, false or the options of the technique',
    read: (value) => value === undefined || typeof value === 'boolean' || (typeof value === 'object' && value !== null && !Array.isArray(value)) ? value as Own : INVALID
  }
}

export default fp(headroom, { name: 'headroom', fastify: '5.x' })
