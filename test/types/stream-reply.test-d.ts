import { expectTypeOf } from 'expect-type'
import type { FastifyContextConfig, FastifyInstance, FastifyReply } from 'fastify'
import type { QueryStreamOptions, StreamOptions, StreamReply, StreamReplyOptions, StreamReplyRouteOptions, StreamReplyStats } from 'fastify-headroom/stream-reply'
import type mongoose from 'mongoose'
import pg from 'pg'

declare const app: FastifyInstance
declare const reply: FastifyReply

void ({ pools: { main: new pg.Pool(), reads: app.pg.pool }, deadline: '5m', minThroughput: '1kb', throughputWindow: 1_000, acquireTimeout: '1s', cancel: 'destroy', closeTimeout: 0, batch: 100, format: 'csv' } satisfies StreamReplyOptions)
void ({ minThroughput: false } satisfies StreamReplyOptions)
// @ts-expect-error neither is a URL
void ({ pools: { main: 'postgres://localhost' } } satisfies StreamReplyOptions)
// @ts-expect-error no such format
void ({ format: 'xml' } satisfies StreamReplyOptions)

// A route's own.
void ({ streamReply: { deadline: '250ms', endRecord: true } } satisfies FastifyContextConfig)
void ({ streamReply: false } satisfies FastifyContextConfig)
expectTypeOf<FastifyContextConfig['streamReply']>().toEqualTypeOf<StreamReplyRouteOptions | boolean | undefined>()
// @ts-expect-error a misspelt option
void ({ streamReply: { dedline: '250ms' } } satisfies FastifyContextConfig)
// @ts-expect-error what belongs to the plugin
void ({ streamReply: { closeTimeout: '1s' } } satisfies FastifyContextConfig)

// One call's own.
void ({ filename: 'users.csv', columns: ['id'], formulas: 'keep', pool: 'reads' } satisfies QueryStreamOptions)
void ({ columns: { id: 'Number' } } satisfies StreamOptions)
// @ts-expect-error rows from elsewhere have no pool
void ({ pool: 'reads' } satisfies StreamOptions)

expectTypeOf(reply.streamQuery('SELECT 1')).toEqualTypeOf<Promise<FastifyReply>>()
expectTypeOf(reply.streamQuery({ text: 'SELECT $1', values: [1] }, { format: 'ndjson' })).toEqualTypeOf<Promise<FastifyReply>>()
// @ts-expect-error values go beside the text
void reply.streamQuery('SELECT $1', [1])

interface Thing { name: string }
declare const things: mongoose.Model<Thing>
expectTypeOf(reply.streamRows(things.find().lean().cursor())).toEqualTypeOf<Promise<FastifyReply>>()
void reply.streamRows([{ id: 1 }])
void reply.streamRows(async function * ({ signal }) { expectTypeOf(signal).toEqualTypeOf<AbortSignal>(); yield { id: 1 } })
// @ts-expect-error rows are objects
void reply.streamRows(['a'])

expectTypeOf(app.streamReply).toEqualTypeOf<StreamReply>()
expectTypeOf(app.streamReply.stats()).toEqualTypeOf<StreamReplyStats>()
