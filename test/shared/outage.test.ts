import t from 'tap'
import { isOutage } from '../../plugins/shared/outage.js'

const withCode = (code: string): Error => Object.assign(new Error('x'), { code })

t.test('errors that say that a database is away, and errors of what it was asked', async (t) => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', '08006', '53300', '57P01', '57P03', '25006']) {
    t.ok(isOutage(withCode(code)), code)
    t.ok(isOutage(new Error('outer', { cause: withCode(code) })), `caused by ${code}`)
  }
  for (const code of ['23505', '22P02', '42703', '57014', '08P01', '40001', '40P01', 'ERR_INVALID_ARG_TYPE', '']) t.notOk(isOutage(withCode(code)), code)
  t.ok(isOutage(Object.assign(new Error('x'), { name: 'MongoServerSelectionError' })))
  for (const message of ['timeout exceeded when trying to connect', 'timeout expired', 'Connection terminated unexpectedly']) t.ok(isOutage(new Error(message)), message)
  t.notOk(isOutage(new Error('Query read timeout')), 'it can be the query\'s own')
  t.ok(isOutage(new AggregateError([withCode('ECONNREFUSED'), withCode('EPIPE')])))
  t.notOk(isOutage(new AggregateError([withCode('EPIPE'), new Error('no')])))
})

t.test('a caller\'s own SQLSTATEs count too, also in a cause and in each of several errors', async (t) => {
  const also = { sqlStates: new Set(['40001']) }
  t.ok(isOutage(withCode('40001'), also))
  t.ok(isOutage(new Error('outer', { cause: withCode('40001') }), also))
  t.ok(isOutage(new AggregateError([withCode('40001'), withCode('EPIPE')]), also))
  t.notOk(isOutage(withCode('23505'), also))
})

t.test('system calls can be left out, which another server may have failed', async (t) => {
  for (const error of [withCode('ECONNREFUSED'), new Error('fetch failed', { cause: withCode('ECONNRESET') }), new AggregateError([withCode('EPIPE')])]) t.notOk(isOutage(error, { system: false }))
  for (const error of [withCode('57P01'), new Error('Connection terminated unexpectedly')]) t.ok(isOutage(error, { system: false }))
})
