import { describe } from '../shared/options.js'
import type { CacheEntryOptions, Id, Resource, ResourceOptions, WriteResult } from './api.js'
import { batchLoader, resultsOf, uniqueIds } from './batch.js'
import type { Entry } from './entry.js'
import { KeyError, OptionError } from './errors.js'
import { InOrder } from './in-order.js'
import type { Loader } from './loads.js'
import { settingsOf, type Settings } from './settings.js'

/** What a resource needs of its cache. */
export interface ResourceBase {
  defaults: Settings
  getOrSet: (key: string, settings: Settings, loader: Loader) => Promise<unknown>
  askMany: (keys: readonly string[], settings: Settings, loader: Loader) => Promise<Map<string, PromiseSettledResult<Entry>>>
  refresh: (key: string, settings: Settings, loader: Loader) => Promise<unknown>
  delete: (key: string) => Promise<WriteResult>
  setAfter: (save: () => Promise<void>, key: string, value: unknown, settings: Settings) => Promise<WriteResult>
}

const FUNCTIONS = ['key', 'load', 'loadMany', 'save'] as const

/** @throws OptionError on a wrong name or option */
export function createResource<T, I extends Id> (name: string, options: ResourceOptions<T, I>, base: ResourceBase): Resource<T, I> {
  const place = `resource ${describe(name)}`
  if (typeof name !== 'string' || !/^[^:]+$/s.test(name)) throw new OptionError(`resource: expected a non-empty name without colon, got ${describe(name)}`)
  if (typeof options !== 'object' || options === null) throw new OptionError(`${place}: expected an object with its options, got ${describe(options)}`)
  const { key: ownKey = defaultKey, load, loadMany, save, write, ...rest } = options
  for (const one of FUNCTIONS) {
    if (typeof options[one] !== 'function' && (one === 'load' || options[one] !== undefined)) {
      throw new OptionError(`${place}: ${one}: expected a function, got ${describe(options[one])}`)
    }
  }
  if (write !== undefined && write !== 'through') throw new OptionError(`${place}: write: expected 'through', got ${describe(write)}`)
  if ((write === undefined) !== (save === undefined)) throw new OptionError(`${place}: write and save go together: how it is written, and by what`)
  const settings = settingsOf(rest, base.defaults, place)
  const inOrder = new InOrder()

  const one = (id: I): Loader => async (_keys, context) => [asLoaded(await load(id, context))]

  return {
    async get (id, own) {
      return await base.getOrSet(keyOf(id), withSignal(settings, own), one(id)) as T
    },
    async getMany (ids, own) {
      const keys = ids.map(keyOf)
      const idOf = uniqueIds(ids, keys)
      const results = await base.askMany([...idOf.keys()], withSignal(settings, own), loadMany === undefined ? each(idOf) : batchLoader(idOf, keyOf, loadMany, isMissing))
      return resultsOf(keys, results, false, settings.clone) as Array<T | undefined>
    },
    async set (id, value) {
      if (save === undefined) throw new OptionError(`${place}: set needs the options write and save`)
      const key = keyOf(id)
      // One after the other: which of two saves at once the source takes last, nobody could say.
      return await inOrder.run(key, () => base.setAfter(async () => { await save(id, value) }, key, value, settings))
    },
    delete: async (id) => await base.delete(keyOf(id)),
    refresh: async (id) => await base.refresh(keyOf(id), settings, one(id)) as T
  }

  function keyOf (id: I): string {
    if (typeof id !== 'string' && typeof id !== 'number') throw new KeyError(describe(id))
    const key: unknown = ownKey(id)
    if (typeof key !== 'string' || key === '') throw new KeyError(describe(key))
    return `${name}:${key}`
  }

  /** A bulk load where the source has none: one load for each, side by side. */
  function each (idOf: ReadonlyMap<string, I>): Loader {
    return async (keys, context) => await Promise.all(keys.map(async (key) => {
      try {
        return asLoaded(await load(idOf.get(key)!, context))
      } catch (error) {
        return { error }
      }
    }))
  }

  function asLoaded (value: T): { value: T, missing: boolean } {
    return { value, missing: isMissing(value) }
  }
}

function isMissing (value: unknown): boolean {
  return value === undefined || value === null
}

/** An id with a colon reaches into no other name. */
function defaultKey (id: Id): string {
  return String(id).replace(/[%:]/g, (character) => character === ':' ? '%3a' : '%25')
}

function withSignal (settings: Settings, own: Pick<CacheEntryOptions, 'signal'> | undefined): Settings {
  return own?.signal === undefined ? settings : settingsOf({ signal: own.signal }, settings)
}
