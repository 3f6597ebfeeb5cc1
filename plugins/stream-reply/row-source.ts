import { setImmediate } from 'node:timers/promises'
import { types } from 'node:util'
import { complaint, describe } from '../shared/options.js'
import { OptionError, RowError } from './errors.js'
import { orAborted } from './or-aborted.js'
import { rowEncoder, type Row, type RowOptions } from './row-encoder.js'
import type { OpenSource, Source } from './source.js'

/** Rows that are put together in one chunk, where they come so fast. */
const MOST_ROWS = 1_000

/** Bytes of a chunk, about. */
const CHUNK = 65_536

/** Rows from elsewhere: a cursor of MongoDB, a generator. Asked for one after another, as they are read. */
export class RowSource implements Source {
  readonly #rows: object
  readonly #iterator: AsyncIterator<Row> | Iterator<Row>
  readonly #encode: (row: Row, isFirst: boolean) => string
  #isOver = false
  #next: Promise<IteratorResult<Row>> | undefined
  #error: Error | undefined
  rows = 0

  constructor (rows: AsyncIterable<Row> | Iterable<Row>, encode: (row: Row, isFirst: boolean) => string) {
    this.#rows = rows
    this.#iterator = Symbol.asyncIterator in rows ? rows[Symbol.asyncIterator]() : rows[Symbol.iterator]()
    this.#encode = encode
  }

  /** Those that come without a pause, together: what has to be waited for keeps nothing back, an error neither. */
  async read (): Promise<string | undefined> {
    if (this.#error !== undefined) throw this.#error
    let chunk = ''
    let pause: Promise<undefined> | undefined
    try {
      for (let count = 0; count < MOST_ROWS && chunk.length < CHUNK; count++) {
        this.#next ??= this.#ask()
        const result = pause === undefined ? await this.#next : await Promise.race([this.#next, pause])
        if (result === undefined) return chunk
        this.#next = undefined
        if (result.done === true) {
          this.#isOver = true
          return chunk === '' ? undefined : chunk
        }
        chunk += this.#encode(result.value, this.rows === 0)
        this.rows++
        // The end of this turn.
        pause ??= setImmediate(undefined)
      }
    } catch (error) {
      this.#error = errorOf(error)
      if (chunk === '') throw this.#error
      return chunk
    }
    // Rows that are all there would leave nobody else a turn.
    await pause
    return chunk
  }

  /** Once. The source may be in the middle of something: it is not waited for. */
  close (): void {
    if (this.#isOver) return
    this.#isOver = true
    closeIterator(this.#iterator)
    if (isStream(this.#rows)) this.#rows.destroy()
  }

  async #ask (): Promise<IteratorResult<Row>> {
    if (this.#isOver) return { done: true, value: undefined }
    let result
    try {
      result = await this.#iterator.next()
    } catch (error) {
      // It has ended by itself, as for a loop.
      this.#isOver = true
      throw error
    }
    // As `for await` has it: of an array of promises.
    const value: unknown = result.value
    return result.done !== true && types.isPromise(value) ? { done: false, value: await value as Row } : result
  }
}

function closeIterator (iterator: AsyncIterator<unknown> | Iterator<unknown>): void {
  try {
    void Promise.resolve(iterator.return?.()).catch(() => {})
  } catch {}
}

/** Of those the iterator is a generator: before its first row, and while it waits for one, its `return()` does nothing. */
function isStream (rows: object): rows is { destroy (): void } {
  return 'destroy' in rows && typeof rows.destroy === 'function' && 'pipe' in rows && typeof rows.pipe === 'function'
}

/** What was given and is not asked for: a stream may hold something already. */
export function closeUnread (rows: RowsOf): void {
  if (typeof rows === 'object' && rows !== null && isStream(rows)) rows.destroy()
}

/** Anything can be thrown. */
function errorOf (thrown: unknown): Error {
  return types.isNativeError(thrown) || thrown instanceof Error ? thrown : new RowError(`the source of the rows threw ${describe(thrown)}`, { cause: thrown })
}

export type RowsOf = Rows | ((context: { signal: AbortSignal }) => Rows | Promise<Rows>)
type Rows = AsyncIterable<object> | Iterable<object>

/** @throws what whoever makes the rows throws, also before the first one; the signal's reason where they are not there by then */
export async function openRows (rows: RowsOf, { signal, ...options }: RowOptions & { signal: AbortSignal }): Promise<OpenSource> {
  const { frame, encode } = rowEncoder(options)
  const source = new RowSource(typeof rows === 'function' ? await madeBy(rows, signal) : iterable(rows), encode)
  return { source, frame, path: 'iterable', close: async () => { source.close() } }
}

/** A function that does not look at its signal is not waited for. What it makes then is closed. */
async function madeBy (rows: Extract<RowsOf, (...args: never) => unknown>, signal: AbortSignal): Promise<AsyncIterable<Row> | Iterable<Row>> {
  signal.throwIfAborted()
  const made = (async () => iterable(await rows({ signal })))()
  try {
    return await orAborted(made, signal)
  } catch (error) {
    made.then((rows) => { new RowSource(rows, () => '').close() }).catch(() => {})
    throw errorOf(error)
  }
}

function iterable (rows: unknown): AsyncIterable<Row> | Iterable<Row> {
  if (typeof rows === 'object' && rows !== null && (Symbol.asyncIterator in rows || Symbol.iterator in rows)) return rows as AsyncIterable<Row> | Iterable<Row>
  throw new OptionError(complaint('reply.streamRows', 'an iterable of rows, or a function that gives one', describe(rows)))
}
