import { expectTypeOf } from 'expect-type'
import type { FastifyInstance } from 'fastify'
import type { WriteResult } from 'fastify-headroom/cache'
import type { SetResult, Write, WriteBehindPluginOptions } from 'fastify-headroom/write-behind'

declare const app: FastifyInstance

interface User { name: string }
declare function saveUser (id: number, user: User, version: number): Promise<void>
declare function findUser (id: number): Promise<User>

// What is saved is what was set.
const users = app.writeBehind('users', { save: (id: number, user: User, { version, signal }) => { signal.throwIfAborted(); return saveUser(id, user, version) } })
expectTypeOf(users.set(1, { name: 'Ada' })).toEqualTypeOf<Promise<SetResult>>()
expectTypeOf(users.pending(1)).toEqualTypeOf<Promise<Write<User, number> | undefined>>()
// @ts-expect-error a value of another type
void users.set(1, 'Ada')
// @ts-expect-error an id of another type
void users.set('1', { name: 'Ada' })
// @ts-expect-error a misspelt option
app.writeBehind('users', { save: saveUser, atempts: 3 })
// @ts-expect-error nothing that saves
app.writeBehind('users', {})

const behind = app.cache.resource('users', {
  load: (id: number) => findUser(id),
  write: 'behind',
  save: (id, user, { version }) => saveUser(id, user, version),
  queue: { fenced: true, delay: '1s' }
})
expectTypeOf(behind.get(1)).toEqualTypeOf<Promise<User>>()
expectTypeOf(behind.set(1, { name: 'Ada' })).toEqualTypeOf<Promise<WriteResult>>()
// @ts-expect-error the options of a queue are of what is written behind
app.cache.resource('users', { load: findUser, write: 'through', save: () => {}, queue: {} })

expectTypeOf<{}>().toExtend<WriteBehindPluginOptions>()
expectTypeOf<{ durable: true, lease: '3s' }>().toExtend<WriteBehindPluginOptions>()
expectTypeOf<{ lease: boolean }>().not.toExtend<WriteBehindPluginOptions>()
