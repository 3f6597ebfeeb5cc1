import Fastify from 'fastify'
import pg from 'pg'
import t from 'tap'
import streamReply from '../../plugins/stream-reply/index.js'
import { buildApp } from './build-app.js'

const code = 'FST_HEADROOM_STREAM_REPLY_OPTION'
const pool = (options: pg.PoolConfig = {}): pg.Pool => new pg.Pool(options)
const pools = 'an object of pools of pg by name, such as { main: app.pg.pool }'

const mistakes: Array<[title: string, options: unknown, message: string | RegExp]> = [
  ['a misspelt option', { pool: pool() }, /options\.pool: expected one of the keys .*, got the unknown key "pool"; did you mean "pools"\?/],
  ['a pool in place of the table of pools', { pools: pool() }, `stream-reply: options.pools: expected ${pools}, got an instance of BoundPool`],
  ['an empty table of pools', { pools: {} }, `stream-reply: options.pools: expected ${pools}, got an object`],
  ['a connection string in the table', { pools: { main: 'postgres://app:p4ssw0rd@db/shop' } }, `stream-reply: options.pools: expected ${pools}, got an object`],
  ['a pool whose clients pipeline', { pools: { main: pool(), reads: pool({ pipeline: true }) } }, "stream-reply: options.pools.reads: expected a pool without pg's option pipeline, got pipeline: true"],
  ['an unknown format', { format: 'xml' }, "stream-reply: options.format: expected 'json' or 'ndjson' or 'csv', got \"xml\""],
  ['batch 0', { batch: 0 }, /options\.batch: expected .*, got 0/],
  ['a deadline that is no duration', { deadline: 'soon' }, /options\.deadline: expected a duration .*, got "soon"/],
  ['minThroughput: true', { minThroughput: true }, /options\.minThroughput: expected .*, or false, got true/],
  ['an unknown way to cancel', { cancel: 'kill' }, "stream-reply: options.cancel: expected 'request' or 'destroy', got \"kill\""],
  ['errorRecord: 1', { errorRecord: 1 }, /options\.errorRecord: expected .*, got 1/],
  ['an empty decorateAs', { decorateAs: '' }, 'stream-reply: options.decorateAs: expected a non-empty string, got ""']
]

for (const [title, options, message] of mistakes) {
  t.test(`${title} stops the boot and names the key, what was expected and what arrived`, async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await t.rejects(async () => { await app.register(streamReply, options as object) }, { code, message })
  })
}

t.test('a mistake in a route stops the boot and names the route', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(streamReply)
  t.throws(() => { app.get('/export', { config: { streamReply: { deadlin: '1s' } as object } }, async () => '') }, { code, message: /GET \/export.*config\.streamReply\.deadlin.*did you mean "deadline"/ })
})

t.test('a mistake in a call is an error of the request, before a connection is asked for', async (t) => {
  const { app, pool } = await buildApp(t, 'postgres://nobody@127.0.0.1:1/none', (app) => {
    app.get('/option', async (_request, reply) => await reply.streamQuery('SELECT 1', { filname: 'a.csv' } as object))
    app.get('/query', async (_request, reply) => await reply.streamQuery({ sql: 'SELECT 1' } as unknown as string))
    app.get('/values', async (_request, reply) => await reply.streamQuery('SELECT $1', [1] as object))
    app.get('/nothing', async (_request, reply) => await reply.streamQuery(undefined as unknown as string))
    app.get('/columns', async (_request, reply) => await reply.streamQuery('SELECT 1', { columns: [] }))
  })
  t.match((await app.inject('/option')).json(), { statusCode: 500, code, message: /reply\.streamQuery\.filname.*did you mean "filename"/ })
  t.match((await app.inject('/query')).json(), { statusCode: 500, code, message: /a text of SQL, or \{ text, values \}/ })
  t.match((await app.inject('/values')).json(), { statusCode: 500, code, message: /expected values beside the text, \{ text, values \}, got an array of 1/ })
  t.match((await app.inject('/nothing')).json(), { statusCode: 500, code, message: /a text of SQL, or \{ text, values \}, got undefined/ })
  t.match((await app.inject('/columns')).json(), { statusCode: 500, code, message: /reply\.streamQuery\.columns: expected an array of names of columns/ })
  t.equal(pool.totalCount, 0)
})

t.test('of @fastify/postgres a pool whose clients pipeline is refused where it is asked, others serve', async (t) => {
  const app = Fastify()
  const pipelined = pool({ pipeline: true })
  t.teardown(() => app.close())
  app.decorate('pg' as string, { pool: pipelined, connect () {} })
  await app.register(streamReply)
  app.get('/', async (_request, reply) => await reply.streamQuery('SELECT 1'))
  t.match((await app.inject('/')).json(), { statusCode: 500, code, message: /options\.pools\.main: expected a pool without pg's option pipeline/ })
})

t.test('without a pool rows of elsewhere are sent, and of a query it is said what is missing', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(streamReply)
  app.get('/', async (_request, reply) => await reply.streamQuery('SELECT 1'))
  app.get('/rows', async (_request, reply) => await reply.streamRows([{ id: 1 }]))
  t.match((await app.inject('/')).json(), { statusCode: 500, code, message: 'stream-reply: options.pools: expected pools by name, or @fastify/postgres registered before, got none' })
  t.strictSame((await app.inject('/rows')).json(), [{ id: 1 }])
})

t.test('a pool of pg-native is told to be one', async (t) => {
  const given: unknown[] = []
  const native = Object.assign(pool(), { connect: async () => ({ release (error?: unknown) { given.push(error) } }) })
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(streamReply, { pools: { main: native } })
  app.get('/', async (_request, reply) => await reply.streamQuery('SELECT 1'))
  t.match((await app.inject('/')).json(), { statusCode: 500, message: /the pool is of pg-native/ })
  t.strictSame(given, [undefined])
})
