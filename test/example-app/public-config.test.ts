import t from 'tap'
import { brotliDecompressSync } from 'node:zlib'
import { buildExample, seededPostgres } from '../helpers/example-app.js'

t.test('the public configuration', async (t) => {
  const app = await buildExample(t, { databaseUrl: await seededPostgres(t) })

  t.test('is for everybody and an hour, and for a CDN a day', async (t) => {
    const { headers } = await app.inject('/api/config')
    t.match(headers, { 'cache-control': 'public, max-age=3600', 'cdn-cache-control': 'public, max-age=86400', vary: 'Accept-Encoding', etag: String })
  })

  t.test('comes compressed to who can decode it, with a tag of its own, and as 304 to who has it', async (t) => {
    const plain = await app.inject('/api/config')
    const encoded = await app.inject({ url: '/api/config', headers: { 'accept-encoding': 'br' } })
    t.equal(encoded.headers['content-encoding'], 'br')
    t.ok(encoded.rawPayload.length < plain.rawPayload.length / 2)
    t.same(JSON.parse(brotliDecompressSync(encoded.rawPayload).toString()), plain.json())
    t.not(encoded.headers.etag, plain.headers.etag)
    const again = await app.inject({ url: '/api/config', headers: { 'accept-encoding': 'br', 'if-none-match': encoded.headers.etag } })
    t.match(again, { statusCode: 304, body: '', headers: { etag: encoded.headers.etag, 'cache-control': 'public, max-age=3600' } })
  })

  t.test('says what the routes check', async (t) => {
    const { bodies, limits } = (await app.inject('/api/config')).json()
    const { title } = bodies['PUT /api/posts/:id'].properties
    const put = async (length: number): Promise<number> => (await app.inject({ method: 'PUT', url: '/api/posts/7', payload: { title: 'x'.repeat(length) } })).statusCode
    t.equal(await put(title.maxLength), 200)
    t.equal(await put(title.maxLength + 1), 400)
    const ask = async (count: number): Promise<number> => (await app.inject(`/api/users?ids=${Array(count).fill(1).join()}`)).statusCode
    t.equal(await ask(limits.idsInOneRequest), 200)
    t.equal(await ask(limits.idsInOneRequest + 1), 400)
  })

  t.test('holds no secret', async (t) => {
    t.notMatch((await app.inject('/api/config')).body, /secret|password|token|postgres:|redis:/i)
  })
})
