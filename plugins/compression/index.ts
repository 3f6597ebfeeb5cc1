import compress from '@fastify/compress'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { availableParallelism } from 'node:os'
import type { BrotliOptions, ZlibOptions } from 'node:zlib'
import { boolean, complaint, custom, describe, INVALID, keys, nested, number, orBoolean, orFalse, resolveOptions, size, string, type Option } from '../shared/options.js'
import { setCodings } from '../shared/route-codings.js'
import { onConfiguredRoute } from '../shared/route-config.js'
import { addSendStage } from '../shared/send-stages.js'
import type { Size } from '../shared/units.js'
import { acceptable, parseAcceptEncoding } from './accept-encoding.js'
import { effortChanged } from './channels.js'
import { SUPPORTED, type Coding } from './codings.js'
import { isCompressible } from './compressible.js'
import { EncodedReplies } from './encoded-replies.js'
import { Encoders, type ZstdOptions } from './encoders.js'
import { CodingError, OptionError } from './errors.js'
import { Load, watchLoad, type LoadEffort } from './load.js'
import { requestDecompression, type RequestDecompressionOptions } from './request-decompression.js'
import { Slots } from './slots.js'
import { RouteCounts, type RouteCompression } from './stats.js'

export type { Coding } from './codings.js'
export type { ZstdOptions } from './encoders.js'
export type { LoadEffort } from './load.js'
export type { RequestDecompressionOptions } from './request-decompression.js'
export type { RouteCompression } from './stats.js'

export interface CompressionRouteOptions {
  /** Bytes below which a reply is left as it is. Default `'1kb'`. */
  threshold?: Size
  /** What is offered, the best one first; clients that like several alike get that. Default br, zstd (where Node has it), gzip, deflate. */
  encodings?: readonly Coding[]
  /** Asked for each reply that could be compressed, when its headers are known; `false` leaves it as it is. */
  filter?: (request: FastifyRequest, reply: FastifyReply) => boolean
  /** Whether a request with `x-no-compression` gets what is not compressed. Default `false`: anybody could make the app send more. */
  allowOptOut?: boolean
  /**
   * Whether something of the request stands in the reply, as of a search. Then what has a secret of the user beside it is not
   * compressed: where the request has a cookie or Authorization, or the reply sets one (BREACH). Default `false`.
   */
  reflectsInput?: boolean
}

export interface CompressionOptions extends CompressionRouteOptions {
  /** Types that are compressed, in place of those that mime-db, and JSON in lines, are. */
  customTypes?: RegExp | ((contentType: string) => boolean)
  /** As Node takes them. Default: quality 4. */
  brotliOptions?: BrotliOptions
  /** Of gzip and deflate, as Node takes them. Default: level 6. */
  zlibOptions?: ZlibOptions
  /** As Node takes them, where it has zstd. */
  zstdOptions?: ZstdOptions
  /** Shares of its time that the event loop is busy, from 0 to 1. `false`: it never matters. */
  shed?: {
    /** Above it, compressing is made as cheap as it can be. Default 0.85. */
    lowAbove?: number
    /** Above it, nothing is compressed. Default 0.97. */
    stopAbove?: number
  } | false
  /** Replies that are compressed at once, beside those so small that they are at once; more are sent as they are. Default: 8 for each core. */
  maxConcurrent?: number
  /** How the bodies of requests are decompressed, by @fastify/compress; `false`: they are not. Default `true`. */
  requests?: RequestDecompressionOptions | boolean
  /** Whether routes that do not say `config.compression` have it. Default `true`. */
  global?: boolean
  /** The name of the app's property. Default `'compression'`. */
  decorateAs?: string
}

export interface Compression {
  /** With full effort; waits while `maxConcurrent` are under way. @throws CodingError where this Node does not have the coding */
  encode: (bytes: Uint8Array | string, encoding: Coding) => Promise<Buffer>
  stats: () => CompressionStats
}

export interface CompressionStats {
  /** How hard is tried now. */
  effort: LoadEffort
  /** Under way, beside those that are compressed at once. */
  running: number
  /** Routes that have sent something that could be compressed. */
  routes: Array<Readonly<RouteCompression>>
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `false` switches it off, an object sets this route's own. */
    compression?: CompressionRouteOptions | boolean
  }
  interface FastifyInstance {
    compression: Compression
  }
}

const ENCODINGS: Option<readonly Coding[] | undefined> = {
  expected: `an array of ${SUPPORTED.join(', ')}`,
  read: (value) => value === undefined || (Array.isArray(value) && value.length > 0 && value.every((one) => (SUPPORTED as unknown[]).includes(one))) ? value as Coding[] | undefined : INVALID
}
const isFunction = (value: unknown): value is (...args: unknown[]) => unknown => typeof value === 'function'
const ROUTE_OPTIONS = {
  threshold: size(undefined),
  encodings: ENCODINGS,
  filter: custom('a function of the request and the reply', isFunction as (value: unknown) => value is NonNullable<CompressionRouteOptions['filter']>),
  allowOptOut: boolean(undefined),
  reflectsInput: boolean(undefined)
}
const OPTIONS = {
  ...ROUTE_OPTIONS,
  customTypes: custom('a regular expression or a function of the type', (value): value is NonNullable<CompressionOptions['customTypes']> => value instanceof RegExp || isFunction(value)),
  brotliOptions: keys<BrotliOptions>(['flush', 'finishFlush', 'chunkSize', 'params', 'maxOutputLength']),
  zlibOptions: keys<ZlibOptions>(['flush', 'finishFlush', 'chunkSize', 'windowBits', 'level', 'memLevel', 'strategy', 'dictionary', 'maxOutputLength']),
  zstdOptions: keys<ZstdOptions>(['chunkSize', 'params']),
  shed: orFalse(nested({ lowAbove: number(0.85, { min: 0, max: 1 }), stopAbove: number(0.97, { min: 0, max: 1 }) }, OptionError, 'options.shed')),
  maxConcurrent: number(8 * availableParallelism(), { min: 1, max: 100_000 }),
  requests: orBoolean(keys<RequestDecompressionOptions>(['requestEncodings', 'forceRequestEncoding', 'onUnsupportedRequestEncoding', 'onInvalidRequestPayload'])),
  global: boolean(true),
  decorateAs: string('compression')
}

/** Nothing samples it then. */
const NEVER = { lowAbove: 1, stopAbove: 1 }

const compression: FastifyPluginAsync<CompressionOptions> = async (app, raw) => {
  const { shed, maxConcurrent, requests, global, decorateAs, customTypes, brotliOptions, zlibOptions, zstdOptions, ...byDefault } = resolveOptions(OPTIONS, raw, 'options', OptionError)
  const encoders = encodersOf({ ...brotliOptions && { brotliOptions }, ...zlibOptions && { zlibOptions }, ...zstdOptions && { zstdOptions } })
  if (shed !== false && shed.lowAbove > shed.stopAbove) throw new OptionError(complaint('options.shed.lowAbove', `at most stopAbove, ${shed.stopAbove}`, describe(shed.lowAbove)))
  const load = new Load(shed === false ? NEVER : shed, (effort, before) => { effortChanged.publish(() => ({ effort, before })) })
  const slots = new Slots(maxConcurrent)
  const decompress = requests === false ? undefined : await decompression(requests)
  const routes: RouteCounts[] = []
  const accepts = typeMatcher(customTypes)

  onConfiguredRoute(app, {
    key: 'compression',
    global,
    OptionError,
    resolve: (own, place) => {
      const given = resolveOptions(ROUTE_OPTIONS, own, place, OptionError)
      return {
        threshold: given.threshold ?? byDefault.threshold ?? 1_024,
        encodings: given.encodings ?? byDefault.encodings ?? SUPPORTED,
        filter: given.filter ?? byDefault.filter,
        allowOptOut: given.allowOptOut ?? byDefault.allowOptOut ?? false,
        reflectsInput: given.reflectsInput ?? byDefault.reflectsInput ?? false,
        isCompressible: accepts
      }
    }
  }, (route, settings) => {
    decompress?.(route)
    // What @fastify/compress reads, on routes of a host that had that before.
    if ((route as { compress?: unknown }).compress === false) return
    const counts = new RouteCounts(String(route.method), route.url)
    routes.push(counts)
    const acceptableInTags = (request: FastifyRequest): string[] => acceptable(parseAcceptEncoding(request.headers['accept-encoding']), settings.encodings)
      .flatMap((coding) => coding === '' ? [''] : [coding, `${coding}-low`])
    setCodings(route, { acceptable: acceptableInTags })
    const replies = new EncodedReplies({ settings, encoders, load, slots, counts, acceptable: acceptableInTags })
    addSendStage(route, 'encoding', (request, reply, payload) => replies.send(request, reply, payload))
  })

  app.decorate(decorateAs, {
    encode: async (bytes, encoding) => {
      if (!SUPPORTED.includes(encoding)) throw new CodingError(complaint('encoding', `one of ${SUPPORTED.join(', ')}`, describe(encoding)))
      const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      return await slots.run(async () => await encoders.async(encoding, 'full', buffer))
    },
    stats: () => ({ effort: load.effort, running: slots.taken, routes: routes.map((counts) => counts.snapshot()).filter(({ compressed, shed }) => compressed + shed > 0) })
  } satisfies Compression)

  if (shed !== false) {
    const stop = watchLoad(load)
    app.addHook('onClose', async () => { stop() })
  }
}

/** Node refuses bad ones only when it is to compress. */
function encodersOf (options: ConstructorParameters<typeof Encoders>[1]): Encoders {
  const encoders = new Encoders(SUPPORTED, options)
  try {
    for (const coding of SUPPORTED) for (const effort of ['full', 'low'] as const) encoders.sync(coding, effort, 'x')
  } catch (error) {
    throw new OptionError(complaint('options', 'brotliOptions, zlibOptions and zstdOptions that Node takes', `what it refuses: ${(error as Error).message}`))
  }
  return encoders
}

async function decompression (options: RequestDecompressionOptions = {}): Promise<(route: RouteOptions) => void> {
  try {
    return await requestDecompression(compress, options)
  } catch (error) {
    throw new OptionError(complaint('options.requests', 'the options of @fastify/compress for requests', `what it refuses: ${(error as Error).message}`))
  }
}

function typeMatcher (customTypes: CompressionOptions['customTypes']): (contentType: string | undefined) => boolean {
  if (customTypes === undefined) return isCompressible
  const accepts = typeof customTypes === 'function' ? customTypes : (type: string) => type.search(customTypes) !== -1
  return (contentType) => contentType !== undefined && accepts(contentType)
}

export default fp(compression, { name: 'headroom-compression', fastify: '5.x' })
