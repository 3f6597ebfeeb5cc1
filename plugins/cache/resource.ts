import type { Entry } from '../shared/entry.js'
import { complaint, describe, type OptionTable } from '../shared/options.js'
import type { CreateWriteBehind } from '../write-behind/index.js'
import type { CacheEntryOptions, Id, Resource, ResourceOptions, WriteResult } from './api.js'
import { batchLoader, checkIds, resultsOf, taken, uniqueIds } from './batch.js'
import { KeyError, OptionError } from './errors.js'
import type { Loader } from './loader-calls.js'
import { Saves } from './saves.js'
import { missingSettings, RESOURCE_TABLE, settingsOf, type Settings } from './settings.js'
import { WrittenBehind } from './written-behind.js'

/** What a resource needs of its cache. */
export interface ResourceBase {
  /** What rules its calls. */
  settingsOf: (options: CacheEntryOptions, place: string, table: OptionTable) => Settings
  /** Milliseconds that a save holds up the next one of its key at most. */
  longestSave: number
  ask: (key: string, settings: Settings, loader: Loader) => Promise<Entry>
  askMany: (keys: readonly string[], settings: Settings, loader: Loader) => Promise<Map<string, PromiseSettledResult<Entry>>>
  refresh: (key: string, settings: Settings, loader: Loader) => Promise<Entry>
  delete: (key: string) => Promise<WriteResult>
  setAfter: (save: () => Promise<void>, key: string, value: unknown, settings: Settings) => Promise<WriteResult>
  /** Of the host, where it has one. */
  createWriteBehind: CreateWriteBehind | undefined
}

/** @throws OptionError on a wrong name or option */
export function createResource<T, I extends Id> (name: string, options: ResourceOptions<T, I>, base: ResourceBase): Resource<T, I> {
  const place = `resource ${describe(name)}`
  if (typeof name !== 'string' || !/^[^:]+$/s.test(name)) throw new OptionError(`resource: expected a non-empty name without colon, got ${describe(name)}`)
  if (options === undefined) throw new OptionError(complaint(place, 'an object', 'undefined'))
  const settings = base.settingsOf(options, place, RESOURCE_TABLE)
  const { key: ownKey = defaultKey, load, loadMany, write } = options
  if (load === undefined) throw new OptionError(complaint(`${place}.load`, RESOURCE_TABLE.load.expected, 'undefined'))
  if ((write === undefined) !== (options.save === undefined)) throw new OptionError(`${place}: write and save go together: how it is written, and by what`)
  if (options.queue !== undefined && write !== 'behind') throw new OptionError(`${place}.queue: is of write: 'behind'`)
  const saves = new Saves(base.longestSave)
  const behind = options.write === 'behind' ? writtenBehind(options) : undefined
  const save = behind === undefined ? options.save as ((id: I, value: T) => unknown) | undefined : (id: I, value: T) => behind.save(id, value)

  const one = (id: I): Loader => first(() => id, async (_keys, context) => [asLoaded(await load(id, context))])

  return {
    queue: behind?.queue,
    async get (id, own) {
      return taken(await base.ask(keyOf(id), withSignal(settings, own), one(id)), settings.clone) as T
    },
    async getMany (ids, own) {
      checkIds(ids)
      const keys = ids.map(keyOf)
      const idOf = uniqueIds(ids, keys)
      const asked = withSignal(settings, own)
      const results = loadMany === undefined ? await each(idOf, asked) : await base.askMany([...idOf.keys()], asked, first((key) => idOf.get(key)!, batchLoader(idOf, keyOf, loadMany, isMissing)))
      return resultsOf(keys, results, false, settings.clone) as Array<T | undefined>
    },
    async set (id, value) {
      if (save === undefined) throw new OptionError(`${place}: set needs the options write and save`)
      const key = keyOf(id)
      return await saves.run(key, () => base.setAfter(async () => { await save(id, value) }, key, value, isMissing(value) ? missingSettings(settings) : settings))
    },
    delete: async (id, ...more: never[]) => {
      checkAlone(more)
      return await base.delete(keyOf(id))
    },
    refresh: async (id) => taken(await base.refresh(keyOf(id), settings, one(id)), settings.clone) as T
  }

  function keyOf (id: I): string {
    if (typeof id !== 'string' && typeof id !== 'number') throw new KeyError(describe(id))
    const key: unknown = ownKey(id)
    if (typeof key !== 'string' || key === '') throw new KeyError(describe(key))
    return `${name}:${key}`
  }

  /** @throws OptionError */
  function writtenBehind (options: ResourceOptions<T, I> & { write: 'behind' }): WrittenBehind<T, I> {
    if (base.createWriteBehind === undefined) throw new OptionError(`${place}.write: 'behind' needs app.writeBehind; register fastify-headroom/write-behind before`)
    return new WrittenBehind(name, options, base.createWriteBehind, (id) => base.delete(keyOf(id)))
  }

  function first (idOf: (key: string) => I, loader: Loader): Loader {
    return behind === undefined ? loader : behind.first(idOf, loader, isMissing)
  }

  /** Where the source has no bulk load: each on its own, side by side. */
  async function each (idOf: ReadonlyMap<string, I>, asked: Settings): Promise<Map<string, PromiseSettledResult<Entry>>> {
    const keys = [...idOf.keys()]
    const results = await Promise.allSettled(keys.map((key) => base.ask(key, asked, one(idOf.get(key)!))))
    asked.signal?.throwIfAborted()
    return new Map(keys.map((key, index) => [key, results[index]!]))
  }

  function asLoaded (value: T): { value: T, missing: boolean } {
    return { value, missing: isMissing(value) }
  }
}

/** @throws KeyError where a delete is given several: they would stay */
export function checkAlone (more: readonly never[]): void {
  if (more.length > 0) throw new KeyError(`${1 + more.length} arguments`)
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
