import { AsyncLocalStorage } from 'node:async_hooks'

/** A piece of work that was done for a request. */
export interface Span {
  name: string
  /** Milliseconds, on the clock of `performance.now`. */
  start: number
  /** Undefined while it runs. */
  end: number | undefined
}

/** Told of the spans of one request as they begin; their `end` is filled in later. */
export type SpanCollector = (span: Span) => void

const storage = new AsyncLocalStorage<SpanCollector>()

/** How many collect. While nobody does, `inSpan` only calls its work: no store is looked up, no object made. */
let collecting = 0

/**
 * Switches spans on until the returned function is called. Whoever collects calls it when it closes.
 */
export function enableSpans (): () => void {
  collecting++
  let enabled = true
  return () => {
    if (enabled) collecting--
    enabled = false
  }
}

/** Runs `work`, and everything it starts, with `collect` told of the spans in it. */
export function collectSpans<T> (collect: SpanCollector, work: () => T): T {
  return storage.run(collect, work)
}

/** Runs `work` as a span of the current request, if spans are collected for it. Result and error pass through. */
export function inSpan<T> (name: string, work: () => T): T {
  if (collecting === 0) return work()
  const collect = storage.getStore()
  if (collect === undefined) return work()
  const span: Span = { name, start: performance.now(), end: undefined }
  const end = (): void => { span.end = performance.now() }
  collect(span)
  let result: T
  try {
    result = work()
  } catch (error) {
    end()
    throw error
  }
  if (result instanceof Promise) result.then(end, end)
  else end()
  return result
}
