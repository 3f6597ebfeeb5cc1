import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { finishFresh, isFresh, unmarkFresh } from './not-modified.js'
import { hooksOf } from './route-hooks.js'

/** What a reply is made of when it is sent. */
export type Payload = string | Buffer | Readable | null | undefined

/** @returns what goes on; an error that it throws becomes the reply */
export type SendStage = (request: FastifyRequest, reply: FastifyReply, payload: Payload) => Payload | Promise<Payload>

/** Who comes before whom, in whatever order the plugins are registered: a tag is of what is not encoded yet. */
const ORDER = ['validators', 'encoding'] as const
export type StageName = typeof ORDER[number]

const stagesOfRoute = new WeakMap<RouteOptions, Map<StageName, SendStage>>()

/**
 * Adds a stage to what a route sends. All stages of a route are one `onSend` hook, behind those that the route has: it sees what
 * every hook of the instance and of the route has made of the payload.
 *
 * Payloads of the web, a `Response` or a `ReadableStream`, come as what they hold. Nothing of a HEAD's payload is sent, and a stream
 * of it not even read.
 */
export function addSendStage (route: RouteOptions, name: StageName, stage: SendStage): void {
  const present = stagesOfRoute.get(route)
  if (present !== undefined) {
    present.set(name, stage)
    return
  }
  const stages = new Map([[name, stage]])
  stagesOfRoute.set(route, stages)
  const hooks = hooksOf(route, 'onSend')
  const others = hooks.filter((hook) => !isOfHeadTwin(hook))
  const isTwin = others.length < hooks.length
  let run: SendStage | undefined
  const hook: NonNullable<RouteOptions['onSend']> = (request, reply, payload, done) => {
    run ??= inOrder(stages)
    unmarkFresh(reply)
    const end = (value: Payload): void => {
      const body = isFresh(reply) ? notModified(reply, value) : value
      done(null, request.method === 'HEAD' ? headOnly(reply, body, isTwin) : body)
    }
    const own = unwrapped(reply, payload)
    const fail = (error: unknown): void => {
      discard(own)
      done(error as Error)
    }
    let result: Payload | Promise<Payload>
    try {
      result = run(request, reply, own)
    } catch (error) {
      fail(error)
      return
    }
    if (!(result instanceof Promise)) {
      end(result)
      return
    }
    // Nobody else listens to it yet; Fastify finds its error when it is sent.
    if (isStream(own)) own.on('error', () => {})
    // What Fastify throws while it sends is its own to answer.
    result.then(end).catch(fail)
  }
  Object.assign(route, { onSend: [...others, hook] })
}

/** Fastify's own hook of an automatic HEAD route would stand before ours, throws the payload away, and runs endless streams to their end. */
function isOfHeadTwin (hook: unknown): boolean {
  return typeof hook === 'function' && hook.name === 'headRouteOnSendHandler'
}

function inOrder (stages: ReadonlyMap<StageName, SendStage>): SendStage {
  const [first, second] = ORDER.flatMap((name) => stages.get(name) ?? [])
  if (second === undefined) return first!
  return (request, reply, payload) => {
    const value = first!(request, reply, payload)
    return value instanceof Promise ? value.then((value) => second(request, reply, value)) : second(request, reply, value)
  }
}

/** Fastify takes a Response apart only after all hooks: till then its status and its headers are not to be seen. */
function unwrapped (reply: FastifyReply, payload: unknown): Payload {
  if (typeof payload !== 'object' || payload === null || Buffer.isBuffer(payload)) return payload as Payload
  if (Object.prototype.toString.call(payload) === '[object Response]') {
    const { status, headers, body, bodyUsed } = payload as Response
    // What was read before is for Fastify to refuse.
    if (bodyUsed) return payload as unknown as Payload
    reply.code(status)
    for (const [name, value] of headers) reply.header(name, value)
    return body === null ? null : Readable.fromWeb(body)
  }
  if ('getReader' in payload && !(payload as ReadableStream).locked) return Readable.fromWeb(payload as ReadableStream)
  return payload as Payload
}

function notModified (reply: FastifyReply, payload: Payload): null {
  discard(payload)
  finishFresh(reply)
  return null
}

/** Sets Content-Length as GET would. Where the handler of a HEAD of its own has sent nothing, what it has said stands. */
function headOnly (reply: FastifyReply, payload: Payload, isTwin: boolean): null {
  if (reply.statusCode === 204) reply.removeHeader('content-type')
  if (isStream(payload)) discard(payload)
  else if (hasNoContent(reply.statusCode)) return null
  else if (payload !== undefined && payload !== null && payload.length > 0) reply.header('content-length', String(Buffer.byteLength(payload)))
  else if ((isTwin || payload === '') && !reply.hasHeader('content-length') && !reply.hasHeader('content-encoding')) reply.header('content-length', '0')
  return null
}

function hasNoContent (status: number): boolean {
  return status < 200 || status === 204 || status === 304
}

export function isStream (payload: unknown): payload is Readable {
  return typeof (payload as { pipe?: unknown } | null | undefined)?.pipe === 'function'
}

/** Of a payload that is not sent. */
export function discard (payload: Payload): void {
  if (!isStream(payload)) return
  // Fastify takes for a stream whatever can be piped.
  const stream: Partial<Readable> = payload
  stream.on?.('error', () => {})
  stream.destroy?.()
}
