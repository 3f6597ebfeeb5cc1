import { expectTypeOf } from 'expect-type'
import type { FastifyInstance } from 'fastify'
import type {
  Cache, CacheDefaults, CacheEntryOptions, CacheOptions, GetManyOptions, Id, LoadContext, LoadMany, Resource, ResourceOptions, WriteResult
} from 'fastify-headroom/cache'

declare const app: FastifyInstance

interface User { id: number, name: string }
declare const user: User
declare function findUser (id: number): Promise<User>
declare function findUserOrNull (id: number): Promise<User | null>
declare function findUsers (ids: number[]): Promise<User[]>
declare function findUsersById (ids: number[]): Promise<Map<number, User>>
declare const signal: AbortSignal

const key = (id: number) => `user:${id}`

// getMany: the loader says what there can be, and any id may have none.
expectTypeOf(app.cache.getMany([1, 2], { key, load: findUsers })).toEqualTypeOf<Promise<Array<User | undefined>>>()
expectTypeOf(app.cache.getMany([1, 2], { key, load: findUsersById })).toEqualTypeOf<Promise<Array<User | undefined>>>()
expectTypeOf(app.cache.getMany([1, 2], { key, load: findUsers, settle: false })).toEqualTypeOf<Promise<Array<User | undefined>>>()
expectTypeOf(app.cache.getMany([1, 2], { key, load: findUsers, settle: true }))
  .toEqualTypeOf<Promise<Array<PromiseSettledResult<User | undefined>>>>()

// Errors and gaps in the answer are no values.
void app.cache.getMany<User, number>([1], { key, load: (ids) => ids.map((id) => id > 0 ? user : undefined) })
void app.cache.getMany<User, number>([1], { key, load: (ids) => ids.map((id) => id > 0 ? user : new Error('no')) })
void app.cache.getMany<User, number>([1], { key, load: async (ids) => new Map(ids.map((id) => [id, user])) })
expectTypeOf(app.cache.getMany<User, number>([1], { key, load: findUsers })).toEqualTypeOf<Promise<Array<User | undefined>>>()
expectTypeOf(app.cache.getMany([1] as const, { key: (id) => `user:${id}`, load: async (ids) => ids.map(() => user) }))
  .toEqualTypeOf<Promise<Array<User | undefined>>>()

// Options can be written down before they are used.
declare const options: GetManyOptions<User, number>
void app.cache.getMany([1], options)

// The id's type is the same everywhere.
void app.cache.getMany(['a'], { key: (id) => id.toUpperCase(), load: (ids) => ids.map((id) => id.length) })
// @ts-expect-error a key function for other ids
void app.cache.getMany(['a'], { key, load: (ids: string[]) => ids })
// @ts-expect-error a loader for other ids
void app.cache.getMany([1], { key, load: (ids: string[]) => ids })
// @ts-expect-error ids are numbers or strings
void app.cache.getMany([{ id: 1 }], { key: () => 'a', load: () => [] })
// @ts-expect-error without a key function
void app.cache.getMany([1], { load: findUsers })
// @ts-expect-error without a loader
void app.cache.getMany([1], { key })
// @ts-expect-error one value for many ids
void app.cache.getMany<User, number>([1], { key, load: () => user })
// @ts-expect-error a misspelt option
void app.cache.getMany([1], { key, load: findUsers, setle: true })
void app.cache.getMany([1], { key, load: findUsers, ttl: '5m', negativeTtl: 5_000, tags: ['users'], signal, stale: '1h', refreshAhead: 2 })
void app.cache.getMany([1], { key, load: (ids, { ttl, tags }) => { ttl('5m'); tags('users'); return ids } })

expectTypeOf<LoadMany<User>>().parameter(0).toEqualTypeOf<Id[]>()
expectTypeOf<LoadMany<User, number>>().parameter(0).toEqualTypeOf<number[]>()
expectTypeOf<LoadMany<User, number>>().parameter(1).toEqualTypeOf<LoadContext>()
expectTypeOf(findUsers).toExtend<LoadMany<User, number>>()
expectTypeOf(findUsersById).toExtend<LoadMany<User, number>>()
expectTypeOf<Id>().toEqualTypeOf<string | number>()
expectTypeOf<GetManyOptions<User, number>['key']>().toEqualTypeOf<(id: number) => string>()

// resource: load says what it is of.
const users = app.cache.resource('user', { load: findUser, loadMany: findUsersById, ttl: '5m' })
expectTypeOf(users).toEqualTypeOf<Resource<User, number>>()
expectTypeOf(users.get(1)).toEqualTypeOf<Promise<User>>()
expectTypeOf(users.get(1, { signal })).toEqualTypeOf<Promise<User>>()
expectTypeOf(users.getMany([1, 2])).toEqualTypeOf<Promise<Array<User | undefined>>>()
expectTypeOf(users.refresh(1)).toEqualTypeOf<Promise<User>>()
expectTypeOf(users.delete(1)).toEqualTypeOf<Promise<WriteResult>>()
expectTypeOf(users.set(1, user)).toEqualTypeOf<Promise<WriteResult>>()
// @ts-expect-error an id of another type
void users.get('1')
// @ts-expect-error a value of another type
void users.set(1, 'Ada')
// @ts-expect-error options other than the call's own signal belong to the resource
void users.get(1, { ttl: '5m' })

const nullable = app.cache.resource('maybe', { load: findUserOrNull, save: async (id, value) => { void [id, value] }, write: 'through' })
expectTypeOf(nullable.get(1)).toEqualTypeOf<Promise<User | null>>()
expectTypeOf(nullable.set).parameters.toEqualTypeOf<[id: number, value: User | null]>()

void app.cache.resource('user', { load: (id: number, { stale }) => stale === undefined ? findUser(id) : user, key: (id) => id.toFixed() })
// @ts-expect-error without a loader
void app.cache.resource('user', { ttl: '5m' })
// @ts-expect-error a signal is a call's own
void app.cache.resource('user', { load: findUser, signal })
// @ts-expect-error another way to write
void app.cache.resource('user', { load: findUser, save: () => {}, write: 'around' })
// @ts-expect-error loadMany of something else
void app.cache.resource<User, number>('user', { load: findUser, loadMany: async (ids) => ids.map(() => 'Ada') })
// @ts-expect-error a misspelt option
void app.cache.resource('user', { load: findUser, tll: '5m' })

// The plugin's options have every default of a call, but not what is one call's own.
expectTypeOf<CacheOptions>().toExtend<CacheDefaults>()
expectTypeOf<CacheEntryOptions>().toExtend<CacheDefaults>()
expectTypeOf<Exclude<keyof CacheEntryOptions, keyof CacheDefaults>>().toEqualTypeOf<'tags' | 'signal'>()
expectTypeOf<'tags' | 'signal'>().not.toExtend<keyof CacheOptions>()
expectTypeOf<Extract<keyof CacheDefaults, keyof ResourceOptions<User, number>>>().toEqualTypeOf<keyof CacheDefaults>()
expectTypeOf<{ refreshAhead: true }>().toExtend<CacheDefaults>()
expectTypeOf<{ refreshAhead: 1.5 }>().toExtend<CacheDefaults>()
expectTypeOf<{ refreshAhead: 'yes' }>().not.toExtend<CacheDefaults>()
expectTypeOf<{ maxBytes: '1mb', clone: true, jitter: 0.5 }>().toExtend<CacheDefaults>()

// What a cache is asked with may be frozen.
declare const frozen: { readonly ids: readonly number[], readonly tags: readonly string[] }
void app.cache.getMany(frozen.ids, { key, load: findUsers, tags: frozen.tags })
void users.getMany(frozen.ids)
// @ts-expect-error a signal has no part in a set
void app.cache.set('a', 1, { signal })
// @ts-expect-error a loader's context cannot be changed
void app.cache.getOrSet('a', (context) => { context.signal = signal })
expectTypeOf<LoadContext['stale']>().toEqualTypeOf<unknown>()
expectTypeOf<FastifyInstance['cache']>().toEqualTypeOf<Cache>()
