import { boolean, custom, duration, LONGEST_TIMER, nested, number, resolveOptions, size } from '../shared/options.js'
import type { WriteBehindOptions } from './api.js'
import { OptionError } from './errors.js'
import { SHARDS } from './keys.js'
import { isSourceAway } from './source-away.js'

const isFunction = (value: unknown): value is (...args: any[]) => any => typeof value === 'function'

const aTimeout = (fallback: number): ReturnType<typeof duration<number>> => duration(fallback, { min: 1, max: LONGEST_TIMER })

const tableFor = (place: string) => ({
  save: custom('a function that brings a value to the source', isFunction),
  saveMany: custom('a function that brings several to the source', isFunction),
  fenced: boolean(false),
  delay: duration(200, { max: LONGEST_TIMER }),
  batch: number(100, { min: 1, max: 10_000 }),
  concurrency: number(4, { min: 1, max: 1_000 }),
  saveTimeout: aTimeout(10_000),
  attempts: number(5, { min: 1, max: 1e6 }),
  retry: nested({ first: aTimeout(100), longest: aTimeout(5_000) }, OptionError, `${place}.retry`),
  isOutage: custom('a function that judges an error', isFunction),
  onDead: custom('a function', isFunction),
  limit: number(100_000, { min: SHARDS, max: 1e9 }),
  fullTimeout: duration(1_000, { max: LONGEST_TIMER }),
  maxBytes: size(2 ** 20, { min: 1 })
})

/** What rules a queue, complete. Times in milliseconds. */
export type QueueSettings = ReturnType<typeof queueSettings>

/** @param place where the options were written, for the error's message */
export function queueSettings (options: WriteBehindOptions, place: string) {
  const { save, isOutage: judge = isSourceAway, onDead = () => {}, ...settings } = resolveOptions(tableFor(place), options, place, OptionError)
  if (save === undefined) throw new OptionError(`${place}.save: expected a function that brings a value to the source, got undefined`)
  return { save, isOutage: judge, onDead, ...settings }
}
