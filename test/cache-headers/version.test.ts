import { Readable } from 'node:stream'
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import cacheHeaders, { type Precondition, type Version } from '../../plugins/cache-headers/index.js'
import { gate } from '../helpers/gate.js'
import { PROTOCOLS, type Protocol } from '../helpers/http-client.js'
import { buildApp, type Built } from './build-app.js'

interface Resource extends Built {
  /** What the handler was called with, in order. */
  seen: Array<Precondition | undefined>
}

/** One resource, read and written, that answers with what `body` gives. */
async function resource (t: Test, version: Version, { body = () => 'body', protocol = 'HTTP/1.1' }: { body?: () => unknown, protocol?: Protocol } = {}): Promise<Resource> {
  const seen: Array<Precondition | undefined> = []
  const built = await buildApp(t, {
    protocol,
    routes: (app) => {
      app.route({
        method: ['GET', 'PUT', 'POST', 'PATCH', 'DELETE'],
        url: '/',
        config: { cacheHeaders: { version } },
        handler: async (request) => {
          seen.push(request.precondition)
          return body()
        }
      })
    }
  })
  return { ...built, seen }
}

const OLD = new Date('2024-05-06T07:08:09.123Z')
const FIELD = 'Mon, 06 May 2024 07:08:10 GMT'

const ANSWERS: Array<[title: string, answer: string | Date, tag: string, lastModified: string | undefined]> = [
  ['a text', 'v1', '"v1"', undefined],
  ['a text of spaces, quotes and colons', 'a "b":c', '"a%20%22b%22%3Ac"', undefined],
  ['a date', OLD, '"2024-05-06T07:08:09.123Z"', FIELD]
]

for (const protocol of PROTOCOLS) {
  t.test(`${protocol}: a version is the tag of the reply, and the handler is not called for a client that has it`, async (t) => {
    for (const [title, answer, , lastModified] of ANSWERS) {
      const { request, seen } = await resource(t, () => answer, { protocol })
      const { headers } = await request('/')
      t.equal(headers['last-modified'], lastModified, title)
      const etag = headers.etag as string
      for (const condition of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
        const fresh = await request('/', { headers: { 'if-none-match': condition } })
        t.match(fresh, { status: 304, headers: { etag }, body: Buffer.alloc(0) }, `${title}: ${condition}`)
      }
      t.equal((await request('/', { headers: { 'if-match': '"x"' } })).status, 412, title)
      t.equal(seen.length, 1, `${title}: for the one that had nothing`)
      t.equal((await request('/', { headers: { 'if-none-match': '"x"' } })).status, 200, title)
    }
  })

  t.test(`${protocol}: of what changes something, a condition that does not hold is 412 before the handler`, async (t) => {
    const { request, seen } = await resource(t, () => 'v2', { protocol })
    for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
      for (const headers of [{ 'if-match': '"v1"' }, { 'if-match': 'W/"v2"' }, { 'if-none-match': '*' }, { 'if-none-match': 'W/"v2"' }]) {
        const { status, body } = await request('/', { method, headers })
        t.match([status, JSON.parse(String(body))], [412, { code: 'FST_HEADROOM_CACHE_HEADERS_PRECONDITION_FAILED' }], `${method} ${JSON.stringify(headers)}`)
      }
    }
    t.strictSame(seen, [])
  })

  t.test(`${protocol}: a condition that holds is handed to the handler, for the statement that writes`, async (t) => {
    const { request, seen } = await resource(t, () => 'v 2', { protocol })
    for (const headers of [{ 'if-match': '"v%202"' }, { 'if-none-match': '"v1"' }, { 'if-match': '"v%202:br"' }]) t.equal((await request('/', { method: 'PUT', headers })).status, 200)
    t.strictSame(seen, Array(3).fill({ tag: 'v%202', version: 'v 2' }))
  })

  t.test(`${protocol}: what every version meets is nothing to compare`, async (t) => {
    const { request, seen } = await resource(t, () => 'v 2', { protocol })
    t.equal((await request('/', { method: 'PUT', headers: { 'if-match': ' *' } })).status, 200)
    t.strictSame(seen, [undefined])
  })

  t.test(`${protocol}: of a resource that is not there, If-None-Match: * creates it, and If-Match is 412`, async (t) => {
    const { request, seen } = await resource(t, () => null, { protocol })
    t.equal((await request('/', { method: 'PUT', headers: { 'if-none-match': '*' } })).status, 200)
    for (const field of ['*', '"v1"']) t.equal((await request('/', { method: 'PUT', headers: { 'if-match': field } })).status, 412)
    t.strictSame(seen, [{ tag: null, version: null }])
  })

  t.test(`${protocol}: where nobody knows the version, no condition of a write holds`, async (t) => {
    const { request, seen } = await resource(t, () => undefined, { protocol })
    for (const headers of [{ 'if-match': '*' }, { 'if-match': '"v1"' }, { 'if-none-match': '*' }, { 'if-none-match': '"v1"' }, { 'if-unmodified-since': FIELD }]) {
      t.equal((await request('/', { method: 'PUT', headers })).status, 412, JSON.stringify(headers))
    }
    t.equal((await request('/', { method: 'PUT' })).status, 200)
    t.strictSame(seen, [undefined])
  })
}

t.test('the tag of a version is the version, with all encoded that may not stand in a tag', async (t) => {
  for (const [title, answer, tag] of ANSWERS) {
    const { request } = await resource(t, () => answer)
    t.equal((await request('/')).headers.etag, tag, title)
  }
})

t.test('a client that asks by the date of a version gets 304 without the handler', async (t) => {
  const { request, seen } = await resource(t, () => OLD)
  t.match(await request('/', { headers: { 'if-modified-since': FIELD } }), { status: 304, headers: { etag: /^"/ } })
  t.equal(seen.length, 0)
  t.equal((await request('/', { headers: { 'if-modified-since': 'Mon, 06 May 2024 07:08:09 GMT' } })).status, 200)
})

t.test('If-Unmodified-Since of a write is judged by the date of the version', async (t) => {
  const { request, seen } = await resource(t, () => OLD)
  t.equal((await request('/', { method: 'PUT', headers: { 'if-unmodified-since': 'Mon, 06 May 2024 07:08:09 GMT' } })).status, 412)
  t.equal((await request('/', { method: 'PUT', headers: { 'if-unmodified-since': FIELD } })).status, 200)
  t.match(seen, [{ version: OLD.toISOString() }])
})

t.test('the date of a moment ago is not told: something else could still get it', async (t) => {
  const { request } = await resource(t, () => new Date(Date.now() - 1), { body: () => Readable.from(['x']) })
  t.match((await request('/')).headers, { etag: undefined, 'last-modified': undefined })
})

t.test('of a resource that is not there a read is what the handler says, without a tag of a version', async (t) => {
  const { request, seen } = await resource(t, () => null, { body: () => Readable.from(['x']) })
  const { status, headers } = await request('/', { headers: { 'if-none-match': '*' } })
  t.strictSame([status, headers.etag, seen.length], [304, undefined, 1])
})

t.test('where nobody knows the version, a read has the tag of its content', async (t) => {
  const { request, seen } = await resource(t, () => undefined)
  const etag = (await request('/')).headers.etag as string
  t.match(etag, /^"[\w-]{43}"$/)
  t.equal((await request('/', { headers: { 'if-none-match': etag } })).status, 304)
  t.equal(seen.length, 2)
})

interface Shown {
  state: string
}

/** Two ways to tell the version of what there is now. */
const RACING: Array<[title: string, version: (now: () => string) => Version, tagOfWhatWasRead: string | RegExp]> = [
  ['a version of the resource', (now) => () => now(), /^"[\w-]{43}"$/],
  ['a version of the payload', (now) => (_request: FastifyRequest, payload?: Shown) => payload?.state ?? now(), '"v1"']
]

for (const [title, version, tagOfWhatWasRead] of RACING) {
  t.test(`${title} that changes while the handler works is not told of what was read before`, async (t) => {
    const reads = gate()
    let state = 'v1'
    const { request } = await buildApp(t, {
      routes: (app) => {
        app.get('/', { config: { cacheHeaders: { version: version(() => state) } } }, async (): Promise<Shown> => {
          const read = { state }
          await reads.pass()
          return read
        })
      }
    })
    const answer = request('/', { headers: { 'if-none-match': '"v0"' } })
    await reads.arrived()
    state = 'v2'
    reads.open()
    const { headers, body } = await answer
    t.strictSame(JSON.parse(String(body)), { state: 'v1' })
    t.match(headers.etag, tagOfWhatWasRead)
    t.match(await request('/', { headers: { 'if-none-match': headers.etag as string } }), { status: 200, headers: { etag: '"v2"' } })
  })

  t.test(`${title} that changes before the handler reads is told of what it has read, or not at all`, async (t) => {
    const reads = gate()
    let state = 'v1'
    const { request } = await buildApp(t, {
      routes: (app) => {
        app.get('/', { config: { cacheHeaders: { version: version(() => state) } } }, async (): Promise<Shown> => {
          await reads.pass()
          return { state }
        })
      }
    })
    const answer = request('/', { headers: { 'if-none-match': '"v0"' } })
    await reads.arrived()
    state = 'v2'
    reads.open()
    const { headers, body } = await answer
    t.strictSame(JSON.parse(String(body)), { state: 'v2' })
    t.not(headers.etag, '"v1"')
  })
}

t.test('a version of the payload gets what the handler gave: returned, sent, or answered later', async (t) => {
  const given: unknown[] = []
  const version: Version = (_request, payload) => {
    if (payload !== undefined) given.push(payload)
    return payload?.v
  }
  const config = { cacheHeaders: { version } }
  const { request } = await buildApp(t, {
    routes: (app) => {
      app.get('/returned', { config }, async () => ({ v: 'v1' }))
      app.get('/sent', { config }, (_request, reply) => { reply.send({ v: 'v1' }) })
      app.get('/later', { config }, (_request, reply) => { setImmediate(() => { reply.send({ v: 'v1' }) }) })
      app.get('/sent-by-promise', { config }, async (_request, reply) => reply.send({ v: 'v1' }))
    }
  })
  for (const path of ['/returned', '/sent', '/later', '/sent-by-promise']) {
    for (const headers of [{}, { 'if-none-match': '"v0"' }]) {
      const answer = await request(path, { headers })
      t.match([answer.status, answer.headers.etag, String(answer.body)], [200, '"v1"', '{"v":"v1"}'], `${path} ${JSON.stringify(headers)}`)
    }
  }
  t.strictSame(given, Array(8).fill({ v: 'v1' }))
})

t.test('a version of the payload is not asked before the handler where there is no condition', async (t) => {
  const asked: unknown[] = []
  const { request } = await resource(t, (_request: FastifyRequest, payload?: unknown) => {
    asked.push(payload)
    return 'v1'
  })
  await request('/')
  t.strictSame(asked, ['body'])
  await request('/', { headers: { 'if-none-match': '"v1"' } })
  t.strictSame(asked, ['body', undefined])
})

t.test('a version that fails, or is none, leaves a read without it, and is logged', async (t) => {
  for (const [title, version] of [['throws', () => { throw new Error('away') }], ['rejects', async () => { throw new Error('away') }], ['is a number', () => 5 as never], ['is empty', () => ''], ['is no date', () => new Date(NaN)]] as Array<[string, Version]>) {
    const { request, errors } = await resource(t, version)
    for (const headers of [{}, { 'if-none-match': '"v1"' }, { 'if-match': '"v1"' }] as Array<Record<string, string>>) {
      const answer = await request('/', { headers })
      t.match([answer.status, answer.headers.etag], [headers['if-match'] === undefined ? 200 : 412, headers['if-match'] === undefined ? /^"[\w-]{43}"$/ : undefined], `${title} ${JSON.stringify(headers)}`)
    }
    t.match(errors()[0], { msg: /^cache-headers: the version of a re/ }, title)
  }
})

t.test('a version that fails stops a write that has a condition, and no other', async (t) => {
  const { request, seen } = await resource(t, () => { throw new Error('away') })
  t.equal((await request('/', { method: 'PUT', headers: { 'if-match': '"v1"' } })).status, 500)
  t.equal(seen.length, 0)
  t.equal((await request('/', { method: 'PUT' })).status, 200)
})

t.test('a version that is none stops a write with an error that says what was expected', async (t) => {
  const { request } = await resource(t, () => 5 as never)
  const { status, body } = await request('/', { method: 'PUT', headers: { 'if-match': '"v1"' } })
  t.match([status, JSON.parse(String(body))], [500, { code: 'FST_HEADROOM_CACHE_HEADERS_VERSION', message: /a non-empty string, a Date, null or undefined, got 5/ }])
})

t.test('without a version, the conditions of a write are ignored', async (t) => {
  const seen: unknown[] = []
  const { request } = await buildApp(t, {
    routes: (app) => {
      app.put('/', async (request, reply) => {
        seen.push(request.precondition)
        return reply.header('etag', '"v1"').send('done')
      })
    }
  })
  for (const headers of [{ 'if-match': '"v0"' }, { 'if-none-match': '*' }, { 'if-none-match': '"v1"' }]) t.equal((await request('/', { method: 'PUT', headers })).status, 200)
  t.strictSame(seen, [undefined, undefined, undefined])
})

t.test('the handler of a route is called after the hooks that keep strangers out, and so is its version', async (t) => {
  let asked = 0
  const { request } = await buildApp(t, {
    routes: (app: FastifyInstance) => {
      app.get('/', {
        config: { cacheHeaders: { version: () => `v${++asked}` } },
        preHandler: async (request, reply) => { if (request.headers.authorization === undefined) return await reply.code(401).send('who?') }
      }, async () => 'secret')
    }
  })
  t.equal((await request('/', { headers: { 'if-none-match': '*' } })).status, 401)
  t.equal(asked, 0)
})

t.test('the property of the request has the name that is asked for', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(cacheHeaders, { decorateAs: 'condition' })
  app.put('/', { config: { cacheHeaders: { version: () => 'v1' } } }, async (request) => Reflect.get(request, 'condition'))
  t.strictSame((await app.inject({ method: 'PUT', url: '/', headers: { 'if-match': '"v1"' } })).json(), { tag: 'v1', version: 'v1' })
})

// RFC 9110 §13.2.1: conditions are ignored where without them the answer is neither 2xx nor 412.
t.test('a read of a resource that is not there is the 404 of the handler, whatever the condition', async (t) => {
  const { request } = await buildApp(t, { routes: (app) => { app.get('/', { config: { cacheHeaders: { version: () => null } } }, async (_request, reply) => reply.code(404).send('none')) } })
  for (const headers of [{}, { 'if-none-match': '*' }, { 'if-match': '"v1"' }, { 'if-match': '*' }] as Array<Record<string, string>>) t.equal((await request('/', { headers })).status, 404, JSON.stringify(headers))
})
