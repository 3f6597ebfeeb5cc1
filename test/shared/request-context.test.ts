import { setImmediate as turn } from 'node:timers/promises'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import { currentContext, followRequests } from '../../plugins/shared/request-context.js'

function build (t: Test) {
  const app = fastify()
  t.teardown(() => app.close())
  // As two techniques would.
  followRequests(app)
  followRequests(app)
  const seen: Array<string | undefined> = []
  const note = async (): Promise<void> => {
    await turn()
    seen.push(currentContext()?.request?.id)
  }
  return { app, seen, note }
}

t.test('hooks that come after and the handler know their request, also when it has a body', async (t) => {
  const { app, seen, note } = build(t)
  for (const hook of ['onRequest', 'preValidation', 'preHandler', 'onSend'] as const) app.addHook(hook, note)
  app.all('/', async (request) => {
    await note()
    return { id: request.id }
  })
  const get = (await app.inject('/')).json<{ id: string }>().id
  t.strictSame(seen.splice(0), Array(5).fill(get))
  const address = await app.listen({ port: 0 })
  const reply = await fetch(address, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text: 'x'.repeat(200_000) }) })
  const { id } = await reply.json() as { id: string }
  t.strictSame(seen, Array(5).fill(id))
})

t.test('requests side by side do not see each other, and nothing outside of one sees any', async (t) => {
  const { app } = build(t)
  app.get('/:turns', async (request) => {
    for (let n = 0; n < Number((request.params as { turns: string }).turns); n++) await turn()
    return { right: currentContext()?.request === request }
  })
  const replies = await Promise.all([5, 1, 3, 2, 4].map(async (turns) => await app.inject(`/${turns}`)))
  t.ok(replies.every((reply) => reply.json<{ right: boolean }>().right))
  t.equal(currentContext(), undefined)
})
