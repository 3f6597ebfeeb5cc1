import { currentContext, inContext } from './request-context.js'

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
  return inContext({ ...currentContext(), collect }, work)
}

/**
 * Begins a span of the current request, if spans are collected for it.
 *
 * @param name where it is a function, called only then
 * @returns what ends the span
 */
export function startSpan (name: string | (() => string)): (() => void) | undefined {
  if (collecting === 0) return undefined
  const collect = currentContext()?.collect
  if (collect === undefined) return undefined
  const span: Span = { name: typeof name === 'string' ? name : name(), start: performance.now(), end: undefined }
  collect(span)
  return () => { span.end = performance.now() }
}

/** Runs `work` as a span of the current request, if spans are collected for it. Result and error pass through. */
export function inSpan<T> (name: string | (() => string), work: () => T): T {
  const end = startSpan(name)
  if (end === undefined) return work()
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
