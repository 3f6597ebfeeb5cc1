import type { Entry } from '../shared/entry.js'
import { complaint, describe } from '../shared/options.js'
import type { Id, LoadMany } from './api.js'
import { BatchError, BusyError, LoadError, OptionError, ReentryError, TimeoutError } from './errors.js'
import type { Loaded, Loader } from './loader-calls.js'

/** @throws OptionError */
export function checkIds (ids: unknown): void {
  if (!Array.isArray(ids)) throw new OptionError(complaint('ids', 'an array', describe(ids)))
}

/** @returns the ids by key, each key once: of `7` and `'7'`, the one that comes first */
export function uniqueIds<I extends Id> (ids: readonly I[], keys: readonly string[]): Map<string, I> {
  const idOf = new Map<string, I>()
  keys.forEach((key, index) => { if (!idOf.has(key)) idOf.set(key, ids[index]!) })
  return idOf
}

/** A bulk loader's answers, each matched to its key. @param isMissing whether an answer says that there is none */
export function batchLoader<T, I extends Id> (
  idOf: ReadonlyMap<string, I>, keyOf: (id: I) => string, load: LoadMany<T, I>, isMissing: (value: unknown) => boolean
): Loader {
  return async (keys, context) => {
    const answer: unknown = await load(keys.map((key) => idOf.get(key)!), context)
    if (answer instanceof Map) {
      // A database may give as a string what was asked for as a number.
      const byKey = new Map([...answer as Map<Id, unknown>].map(([id, value]) => [keyOf(id as I), value]))
      return keys.map((key) => loadedFrom(byKey.get(key), isMissing))
    }
    if (!Array.isArray(answer)) throw new LoadError(`a bulk load to give a Map by id or an array in the order of the ids, got ${describe(answer)}`)
    if (answer.length !== keys.length) throw new LoadError(`a bulk load to give an array of ${keys.length}, one for each id, got ${answer.length}`)
    return Array.from(answer as unknown[], (value) => loadedFrom(value, isMissing))
  }
}

function loadedFrom (value: unknown, isMissing: (value: unknown) => boolean): Loaded {
  return value instanceof Error ? { error: value } : { value, missing: isMissing(value) }
}

/** The results in the order of `keys`; one that comes twice has its own copy each time, where values are copied. */
export function resultsOf (keys: readonly string[], results: ReadonlyMap<string, PromiseSettledResult<Entry>>, settle: boolean, clone: boolean): unknown[] {
  const inOrder = keys.map((key) => results.get(key)!)
  if (settle) return inOrder.map((result) => result.status === 'fulfilled' ? { status: 'fulfilled', value: taken(result.value, clone) } : result)
  const failures = inOrder.filter((result) => result.status === 'rejected')
  if (failures.length > 0) throw failureOf(failures.map(({ reason }): unknown => reason), keys.length)
  return inOrder.map((result) => taken((result as PromiseFulfilledResult<Entry>).value, clone))
}

/** The value for one caller. */
export function taken (entry: Entry, clone: boolean): unknown {
  return clone ? entry.copy() : entry.value()
}

function failureOf (reasons: readonly unknown[], asked: number): unknown {
  // A load that threw failed all of its ids with one error: that says more than a list of it.
  if (reasons.every((reason) => reason === reasons[0] || (isOwn(reason) && isOwn(reasons[0]) && reason.code === reasons[0].code))) return reasons[0]
  return Object.assign(new BatchError(reasons.length, asked), { errors: reasons })
}

function isOwn (error: unknown): error is Error & { code: string } {
  return error instanceof TimeoutError || error instanceof BusyError || error instanceof ReentryError
}
