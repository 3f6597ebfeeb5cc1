import fastify from 'fastify'
import t from 'tap'
import { addVary } from '../../plugins/shared/vary.js'

t.test('a name is added to Vary once, and to one that says it all not', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  app.get<{ Querystring: { vary?: string | string[] } }>('/', async ({ query: { vary } }, reply) => {
    if (vary !== undefined) reply.header('vary', vary)
    addVary(reply, 'Accept-Encoding')
    addVary(reply, 'Accept-Encoding')
    return String(reply.getHeader('vary'))
  })
  for (const [given, expected] of [
    [undefined, 'Accept-Encoding'], ['', 'Accept-Encoding'], ['*', '*'], ['Origin', 'Origin, Accept-Encoding'], ['origin,accept-encoding', 'origin,accept-encoding'],
    ['Accept-Encoding-Like', 'Accept-Encoding-Like, Accept-Encoding']
  ] as const) t.equal((await app.inject({ url: '/', query: given === undefined ? {} : { vary: given } })).body, expected)
  t.equal((await app.inject('/?vary=a&vary=b')).body, 'a,b, Accept-Encoding')
})
