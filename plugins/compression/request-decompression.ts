import type compress from '@fastify/compress'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { hooksOf } from '../shared/route-hooks.js'

/** What @fastify/compress takes for requests. */
export type RequestDecompressionOptions = Pick<compress.FastifyCompressOptions, 'requestEncodings' | 'forceRequestEncoding' | 'onUnsupportedRequestEncoding' | 'onInvalidRequestPayload'>

/**
 * The request decompression of @fastify/compress, without the rest of it: registered, it would compress replies too, take the name
 * `reply.compress`, and push hooks onto arrays that routes share. A route's own `decompress` counts, as with the plugin itself.
 *
 * @returns puts it in front of a route @throws what it throws at a bad option
 */
export async function requestDecompression (plugin: typeof compress, options: RequestDecompressionOptions): Promise<(route: RouteOptions) => void> {
  let onRoute: ((route: object) => void) | undefined
  const host = {
    decorateReply: () => {},
    addHook: (_name: string, hook: (route: object) => void) => { onRoute = hook }
  }
  await new Promise<void>((resolve, reject) => {
    plugin(host as unknown as FastifyInstance, { ...options, globalCompression: false, globalDecompression: true }, (error) => { if (error) reject(error); else resolve() })
  })
  return (route) => {
    const { decompress } = route as { decompress?: unknown }
    const own: { preParsing?: unknown[], compress: false, decompress?: unknown } = { compress: false, ...decompress !== undefined && { decompress } }
    onRoute!(own)
    if (own.preParsing !== undefined) Object.assign(route, { preParsing: [...own.preParsing, ...hooksOf(route, 'preParsing')] })
  }
}
