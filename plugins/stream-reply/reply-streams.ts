import type { FastifyReply, FastifyRequest } from 'fastify'
import { Readable } from 'node:stream'
import { clientSignal } from '../shared/client-signal.js'
import { loggableError } from '../shared/loggable-error.js'
import { LONGEST_TIMER } from '../shared/options.js'
import { isOutage } from '../shared/outage.js'
import { onReplyClose } from '../shared/reply-close.js'
import { addVary } from '../shared/vary.js'
import { breakOff } from './break-off.js'
import * as channels from './channels.js'
import { attachment } from './content-disposition.js'
import { ClosingError, DeadlineError, NotAcceptableError, SlowReaderError, StatementError, UnavailableError } from './errors.js'
import { CONTENT_TYPES, formatFor, type Format } from './formats.js'
import { orAborted } from './or-aborted.js'
import { Outgoing } from './outgoing.js'
import type { QueryOptions } from './query-source.js'
import type { ResponseSchemas } from './response-schema.js'
import type { Columns } from './row-encoder.js'
import type { Running } from './running.js'
import { ReaderPace } from './slow-reader.js'
import type { OpenSource } from './source.js'
import type { Outcome, Stats, StreamLine } from './stats.js'

/** SQLSTATE read_only_sql_transaction. */
const READ_ONLY = '25006'

/** Of names whose files a spreadsheet opens. Dots and spaces at their end are not saved. */
const SPREADSHEET = /\.(?:csv|tsv|xlsx?|ods)[.\s]*$/i

export interface StreamSettings {
  format: Format | undefined
  batch: number
  deadline: number
  /** Bytes a second. */
  minThroughput: number | false
  /** Milliseconds. */
  throughputWindow: number
  acquireTimeout: number
  cancel: 'request' | 'destroy'
  errorRecord: boolean
  endRecord: boolean
}

/** What is known of a route. */
export interface StreamRoute {
  settings: StreamSettings
  schemas: ResponseSchemas
}

export interface Call extends StreamRoute {
  filename: string | undefined
  columns: Columns | undefined
  formulas: 'guard' | 'keep' | undefined
}

/** The replies of an app that are streamed. */
export class ReplyStreams {
  readonly #stats: Stats
  readonly #running: Running
  readonly #now: () => number

  constructor (stats: Stats, running: Running, now: () => number) {
    this.#stats = stats
    this.#running = running
    this.#now = now
  }

  /** @param open begins what is sent */
  async send (reply: FastifyReply, call: Call, open: (options: QueryOptions) => Promise<OpenSource>): Promise<FastifyReply> {
    const { request } = reply
    const { settings, filename } = call
    if (this.#running.closing !== undefined) throw failureOf(reply, this.#running.closing)
    const format = settings.format ?? negotiated(request, reply)
    const sendHeaders = (): void => {
      reply.type(CONTENT_TYPES[format])
      // What it has not passed on yet when the reply is reset, nginx drops, and the record with it.
      if (settings.errorRecord && format === 'ndjson') reply.header('x-accel-buffering', 'no')
      if (filename !== undefined) reply.header('content-disposition', attachment(filename))
    }
    if (request.method === 'HEAD') {
      sendHeaders()
      return await reply.send(Readable.from([]))
    }
    const began = this.#now()
    const end = new AbortController()
    const stop = (reason: Error): void => { end.abort(reason) }
    const client = clientSignal(request, reply)
    const left = (): void => { stop(client.reason as Error) }
    if (client.aborted) left()
    client.addEventListener('abort', left)
    const late = setTimeout(() => { stop(new DeadlineError(settings.deadline)) }, settings.deadline).unref()
    const forget = this.#running.add(stop)
    const over = (): void => {
      client.removeEventListener('abort', left)
      clearTimeout(late)
      forget()
    }
    let source: OpenSource | undefined
    let outgoing: Outgoing
    try {
      source = await open({
        ...settings,
        ...call.schemas.of(reply, CONTENT_TYPES[format]),
        format,
        columns: call.columns,
        isGuarded: call.formulas === undefined ? SPREADSHEET.test(filename ?? '') : call.formulas === 'guard',
        // The database has the same bound for its timeouts as Node for its timers.
        statementTimeout: Math.min(settings.deadline + 1_000, LONGEST_TIMER),
        signal: end.signal
      })
      // So that what is wrong with a query is an error, and not half a reply.
      const first = await orAborted(source.source.read(), end.signal)
      sendHeaders()
      outgoing = this.#outgoing(reply, format, settings, source, first, began, over, end.signal)
    } catch (error) {
      over()
      await source?.close()
      throw failureOf(reply, error)
    }
    // Where a hook fails, or puts something else in its place, nobody reads it.
    onReplyClose(request, reply, () => { outgoing.destroy() })
    return await reply.send(outgoing)
  }

  #outgoing (reply: FastifyReply, format: Format, settings: StreamSettings, source: OpenSource, first: string | Uint8Array | undefined, began: number, over: () => void, signal: AbortSignal): Outgoing {
    const { request } = reply
    const { minThroughput } = settings
    const pace = minThroughput === false ? undefined : new ReaderPace(this.#now, minThroughput, settings.throughputWindow)
    const looking = pace && setInterval(() => {
      if (isPipelined(reply)) pace.asked()
      else if (pace.isTooSlow()) outgoing.destroy(new SlowReaderError(minThroughput as number))
    }, settings.throughputWindow / 2).unref()
    const done = (outcome: Outcome, error?: Error): void => {
      over()
      clearInterval(looking)
      signal.removeEventListener('abort', abort)
      const line: StreamLine = {
        method: request.method,
        route: request.routeOptions.url ?? 'other',
        path: source.path,
        format,
        rows: source.source.rows,
        bytes: outgoing.bytes,
        elapsed: Math.round(this.#now() - began),
        outcome
      }
      this.#stats.ended(line)
      channels.ended.publish(() => line)
      if (outcome === 'failed') request.log.error({ streamReply: line, error: loggableError(error) }, 'a streamed reply broke off')
      else request.log.debug({ streamReply: line }, 'streamed reply')
    }
    const outgoing = new Outgoing(source, first, {
      offered: (bytes) => { pace?.offered(bytes) },
      asked: () => { pace?.asked() },
      ending: () => settings.endRecord && format === 'ndjson' ? `${JSON.stringify({ end: { rows: source.source.rows } })}\n` : '',
      lastWords: () => settings.errorRecord && format === 'ndjson' ? `${JSON.stringify({ error: { message: 'The rows are not complete' } })}\n` : undefined,
      ended: () => { done('complete') },
      brokenOff: (error) => {
        if (clientSignal(request, reply).aborted) {
          done('left')
          return
        }
        // Without an error the reply is over: it was another one.
        if (error !== null && outgoing.isRead && reply.raw.headersSent) breakOff(request, reply)
        done('failed', error ?? new Error('something else was sent in its place'))
      }
    })
    const abort = (): void => { outgoing.destroy(signal.reason as Error) }
    this.#stats.began(source.path)
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    return outgoing
  }
}

/** Behind another reply, which is read first. */
function isPipelined ({ request, raw }: FastifyReply): boolean {
  return request.raw.httpVersionMajor === 1 && raw.socket === null
}

function negotiated (request: FastifyRequest, reply: FastifyReply): Format {
  addVary(reply, 'Accept')
  const format = formatFor(request.headers.accept)
  if (format === undefined) throw new NotAcceptableError()
  return format
}

function failureOf (reply: FastifyReply, error: unknown): unknown {
  // By the same SQLSTATE a database tells that it has become a replica; here it is the statement's own.
  if ((error as { code?: unknown } | null)?.code === READ_ONLY) return new StatementError('it would change something', { cause: error })
  const failure = isOutage(error) ? new UnavailableError('the database does not answer', { cause: error }) : error
  // Nothing was done that could be done twice. Who refuses with 503 may have said when to come again.
  if (failure instanceof UnavailableError || failure instanceof ClosingError) reply.header('retry-after', 1)
  return failure
}
