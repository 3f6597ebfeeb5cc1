import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { PROTOCOLS } from '../helpers/http-client.js'
import { buildApp } from './build-app.js'

const CHANGED = 'Sun, 06 Nov 1994 08:49:37 GMT'
/** The moment of CHANGED in the three formats, then a second before and after it. */
const SAME = [CHANGED, 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']
const [BEFORE, AFTER] = ['Sun, 06 Nov 1994 08:49:36 GMT', 'Sun, 06 Nov 1994 08:49:38 GMT']

function routes (app: FastifyInstance): void {
  for (const [url, tag] of [['/strong', '"a"'], ['/weak', 'W/"a"'], ['/odd', '"a,b"'], ['/empty', '""'], ['/latin', '"\u00e9"']] as const) {
    app.get(url, async (_request, reply) => reply.header('etag', tag).send('body'))
  }
  app.get('/dated', async (_request, reply) => reply.header('last-modified', CHANGED).send('body'))
  app.get('/both', async (_request, reply) => reply.header('etag', '"a"').header('last-modified', CHANGED).send('body'))
  app.get('/plain', { config: { cacheHeaders: { etag: false } } }, async () => 'body')
  app.get<{ Params: { status: string } }>('/status/:status', async (request, reply) => reply.code(Number(request.params.status)).header('etag', '"a"').header('location', '/').send('body'))
  app.get('/thrown', async (_request, reply) => {
    reply.header('etag', '"a"')
    throw new Error('broken')
  })
  app.route({ method: ['POST', 'PUT', 'DELETE', 'PATCH'], url: '/strong', handler: async (_request, reply) => reply.header('etag', '"a"').send('done') })
}

type Case = [title: string, path: string, headers: Record<string, string>, status: number]

const CASES: Case[] = [
  ['a client that has the tag gets 304', '/strong', { 'if-none-match': '"a"' }, 304],
  ['a client that has another tag gets the body', '/strong', { 'if-none-match': '"b"' }, 200],
  ['of a list of tags any may be the one', '/strong', { 'if-none-match': '"x", W/"y" ,"a"' }, 304],
  ['an empty member of a list changes nothing', '/strong', { 'if-none-match': ', "x",, "a",' }, 304],
  ['a list without the tag matches nothing', '/strong', { 'if-none-match': '"x", "y"' }, 200],
  ['a star matches whatever there is', '/strong', { 'if-none-match': '*' }, 304],
  ['a star matches also what has no tag', '/plain', { 'if-none-match': '*' }, 304],
  ['a star in quotes is a tag', '/strong', { 'if-none-match': '"*"' }, 200],
  ['If-None-Match takes a weak tag for the strong one', '/strong', { 'if-none-match': 'W/"a"' }, 304],
  ['If-None-Match takes a strong tag for the weak one', '/weak', { 'if-none-match': '"a"' }, 304],
  ['If-None-Match takes a weak tag for the weak one', '/weak', { 'if-none-match': 'W/"a"' }, 304],
  ['the W of a weak tag is no w', '/weak', { 'if-none-match': 'w/"a"' }, 200],
  ['a comma in a tag is of the tag', '/odd', { 'if-none-match': '"x", "a,b"' }, 304],
  ['a comma in a tag does not part it in two', '/strong', { 'if-none-match': '"b,"a"' }, 200],
  ['an empty tag is a tag', '/empty', { 'if-none-match': '""' }, 304],
  ['a tag beyond ASCII comes back as it was', '/latin', { 'if-none-match': '"\u00e9"' }, 304],
  ['a tag without quotes matches nothing', '/strong', { 'if-none-match': 'a' }, 200],
  ['an empty If-None-Match matches nothing', '/strong', { 'if-none-match': '' }, 200],
  ['If-Match of the tag gets the body', '/strong', { 'if-match': '"a"' }, 200],
  ['If-Match of another tag gets 412', '/strong', { 'if-match': '"b"' }, 412],
  ['If-Match of a list with the tag gets the body', '/strong', { 'if-match': '"b", "a"' }, 200],
  ['If-Match of a star gets the body', '/strong', { 'if-match': '*' }, 200],
  ['If-Match does not take a weak tag for a strong one', '/strong', { 'if-match': 'W/"a"' }, 412],
  ['If-Match does not take a weak tag for itself', '/weak', { 'if-match': 'W/"a"' }, 412],
  ['If-Match does not take a strong tag for a weak one', '/weak', { 'if-match': '"a"' }, 412],
  ['If-Match that holds leaves If-None-Match to be judged', '/strong', { 'if-match': '"a"', 'if-none-match': '"a"' }, 304],
  ['If-Match that fails goes before If-None-Match', '/strong', { 'if-match': '"b"', 'if-none-match': '"a"' }, 412],
  ...SAME.map((date): Case => [`If-Modified-Since of the same second gets 304: ${date}`, '/dated', { 'if-modified-since': date }, 304]),
  ['If-Modified-Since later than the change gets 304', '/dated', { 'if-modified-since': AFTER }, 304],
  ['If-Modified-Since earlier than the change gets the body', '/dated', { 'if-modified-since': BEFORE }, 200],
  ...SAME.map((date): Case => [`If-Unmodified-Since of the same second gets the body: ${date}`, '/dated', { 'if-unmodified-since': date }, 200]),
  ['If-Unmodified-Since earlier than the change gets 412', '/dated', { 'if-unmodified-since': BEFORE }, 412],
  ['If-Unmodified-Since later than the change gets the body', '/dated', { 'if-unmodified-since': AFTER }, 200],
  ['If-Unmodified-Since earlier goes before If-None-Match', '/both', { 'if-unmodified-since': BEFORE, 'if-none-match': '"a"' }, 412],
  ['If-Match goes before If-Unmodified-Since', '/both', { 'if-match': '"a"', 'if-unmodified-since': BEFORE }, 200],
  ['If-None-Match goes before If-Modified-Since that would be fresh', '/both', { 'if-none-match': '"b"', 'if-modified-since': AFTER }, 200],
  ['If-None-Match goes before If-Modified-Since that would not', '/both', { 'if-none-match': '"a"', 'if-modified-since': BEFORE }, 304],
  ['dates of what has no date say nothing', '/strong', { 'if-modified-since': AFTER, 'if-unmodified-since': BEFORE }, 200],
  ...['1994-11-06T08:49:37Z', 'Sun, 06 Nov 2094 08:49:37', 'Sun, 31 Feb 2094 08:49:37 GMT', 'Sun, 6 Nov 2094 08:49:37 GMT', 'tomorrow', '9999999999', ''].flatMap((date): Case[] => [
    [`If-Modified-Since that is no date is ignored: ${date}`, '/dated', { 'if-modified-since': date }, 200],
    [`If-Unmodified-Since that is no date is ignored: ${date}`, '/dated', { 'if-unmodified-since': date.replace('2094', '1984') }, 200]
  ]),
  ...['201', '206'].map((status): Case => [`a reply of status ${status} can be fresh`, `/status/${status}`, { 'if-none-match': '"a"' }, 304]),
  ...['301', '404', '410', '500', '503'].flatMap((status): Case[] => [
    [`a reply of status ${status} is never 304`, `/status/${status}`, { 'if-none-match': '"a"' }, Number(status)],
    [`a reply of status ${status} is never 412`, `/status/${status}`, { 'if-match': '"b"' }, Number(status)]
  ]),
  ['an error of the handler is never 304', '/thrown', { 'if-none-match': '"a"' }, 500],
  ['a route that is not there is never 304', '/nothing', { 'if-none-match': '*' }, 404]
]

for (const protocol of PROTOCOLS) {
  t.test(`${protocol}: conditions mean what RFC 9110 says`, async (t) => {
    const { request } = await buildApp(t, { protocol, routes })
    for (const [title, path, headers, status] of CASES) {
      const answer = await request(path, { headers })
      t.equal(answer.status, status, title)
      t.equal(answer.body.length === 0, status === 304, `${title}: a body, but for 304`)
      const head = await request(path, { method: 'HEAD', headers })
      t.equal(head.status, status, `${title}, of HEAD too`)
    }
  })

  t.test(`${protocol}: what changes something is never answered 304 or 412 once it has been done`, async (t) => {
    const { request } = await buildApp(t, { protocol, routes })
    const conditions = [{ 'if-none-match': '"a"' }, { 'if-none-match': '*' }, { 'if-match': '"b"' }, { 'if-unmodified-since': BEFORE }, { 'if-modified-since': AFTER }]
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      for (const headers of conditions) t.match(await request('/strong', { method, headers }), { status: 200, headers: { etag: '"a"' }, body: Buffer.from('done') }, `${method} ${Object.keys(headers).join()}`)
    }
  })

  t.test(`${protocol}: a 304 says what the 200 says to caches, and nothing of the body`, async (t) => {
    const { request } = await buildApp(t, {
      protocol,
      options: { cacheControl: { maxAge: '1m' }, cdnCacheControl: { maxAge: '1h' } },
      routes: (app) => {
        app.get('/', async (_request, reply) => reply.headers({ vary: 'Accept-Language', 'content-language': 'en', 'content-location': '/en', expires: CHANGED, 'last-modified': CHANGED }).send({ a: 1 }))
      }
    })
    const { headers: { etag, ...headers } } = await request('/')
    t.match(etag, /^"[\w-]{43}"$/)
    const kept = { vary: 'Accept-Language', 'cache-control': 'max-age=60', 'cdn-cache-control': 'max-age=3600', 'content-location': '/en', expires: CHANGED }
    t.strictSame(headers, { ...kept, 'last-modified': CHANGED, 'content-language': 'en', 'content-type': 'application/json; charset=utf-8', 'content-length': '7' })
    for (const condition of [{ 'if-none-match': etag as string }, { 'if-modified-since': CHANGED }]) {
      const fresh = await request('/', { headers: condition })
      t.strictSame({ status: fresh.status, headers: fresh.headers, body: fresh.body.length }, { status: 304, headers: { etag, ...kept }, body: 0 })
    }
  })

  t.test(`${protocol}: what is fresh by its date alone tells the date`, async (t) => {
    const { request } = await buildApp(t, { protocol, options: { etag: false }, routes })
    const { status, headers } = await request('/dated', { headers: { 'if-modified-since': CHANGED } })
    t.strictSame({ status, headers }, { status: 304, headers: { 'last-modified': CHANGED } })
  })

  t.test(`${protocol}: the 412 of a read has the error's body, and nothing of the reply that it is in place of`, async (t) => {
    const { request } = await buildApp(t, { protocol, options: { cacheControl: 'max-age=60' }, routes: (app) => { app.get('/', async () => 'body') } })
    const { status, headers, body } = await request('/', { headers: { 'if-match': '"b"' } })
    t.equal(status, 412)
    t.strictSame(headers, { 'cache-control': 'no-store', 'content-type': 'application/json; charset=utf-8', 'content-length': String(body.length) })
    t.match(JSON.parse(String(body)), { statusCode: 412, code: 'FST_HEADROOM_CACHE_HEADERS_PRECONDITION_FAILED' })
  })
}

t.test('fields that come in several lines are one list', async (t) => {
  const { request } = await buildApp(t, { routes })
  t.equal((await request('/strong', { headers: { 'if-none-match': ['"x"', '"a"'] } })).status, 304)
  t.equal((await request('/strong', { headers: { 'if-match': ['"x"', '"a"'] } })).status, 200)
})

t.test('a reply gets the tag of its content: the same one for the same bytes, another one for others', async (t) => {
  const { request } = await buildApp(t, { routes: (app) => { app.get<{ Params: { text: string } }>('/:text', async (request) => request.params.text) } })
  const tags = await Promise.all(['a', 'a', 'b'].map(async (text) => (await request(`/${text}`)).headers.etag))
  t.equal(tags[0], tags[1])
  t.not(tags[0], tags[2])
})

t.test('the hash of tags can be chosen, and the tags can be weak', async (t) => {
  const { request } = await buildApp(t, { options: { etag: { hashFn: (payload) => `${payload.length}`, weak: true } }, routes: (app) => { app.get('/', async () => 'four') } })
  t.equal((await request('/')).headers.etag, 'W/"4"')
  t.equal((await request('/', { headers: { 'if-none-match': '"4"' } })).status, 304)
})

t.test('a stream has no tag of its content', async (t) => {
  const { request } = await buildApp(t, { routes: (app) => { app.get('/', async () => Readable.from(['a', 'b'])) } })
  const { headers, body } = await request('/')
  t.strictSame([headers.etag, String(body)], [undefined, 'ab'])
})
