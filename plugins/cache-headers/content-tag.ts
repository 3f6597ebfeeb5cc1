import type etag from '@fastify/etag'
import type { FastifyInstance } from 'fastify'
import { hash } from 'node:crypto'

/** The tag of bytes, as a field's text. */
export type ContentTag = (payload: string | Buffer) => string

/**
 * The generator of @fastify/etag, without its hook: registered, it would tag every reply of its scope, and answer 304 to a POST and
 * to an error.
 *
 * @param options as it takes them, but for `replyWith304`
 * @throws what it throws at a bad option
 */
export async function contentTag (plugin: typeof etag, options: Omit<etag.FastifyEtagOptions, 'replyWith304'>): Promise<ContentTag> {
  type Hook = (request: unknown, reply: unknown, payload: string | Buffer, done: () => void) => void
  let generate: Hook | undefined
  const host = { addHook: (_name: string, hook: Hook) => { generate = hook } }
  await plugin(host as unknown as FastifyInstance, { ...withHash(options), replyWith304: false })
  return (payload) => {
    let tag = ''
    generate!({}, { getHeader: () => undefined, header: (_name: string, value: string) => { tag = value } }, payload, () => {})
    return tag
  }
}

/** Where none is asked for: SHA-256 in one call, without an object for each payload. Of SHA-1, two payloads with one tag can be made. */
function withHash (options: etag.FastifyEtagOptions): etag.FastifyEtagOptions {
  if (options.algorithm !== undefined || options.hashFn !== undefined) return options
  return { ...options, hashFn: (payload) => hash('sha256', payload, 'base64url') }
}
