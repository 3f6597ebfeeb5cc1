import { Readable } from 'node:stream'
import fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import cacheHeaders from 'fastify-headroom/cache-headers'
import compression from 'fastify-headroom/compression'
import t from 'tap'
import { decoded } from '../helpers/http-client.js'
import { isSoak } from '../helpers/soak.js'

const REQUESTS = isSoak ? 100_000 : 10_000
const SEED = 20_240_506

const TEXT = 'Of all that is said, most was said before. '.repeat(60)
const CHANGED = 'Sun, 06 Nov 1994 08:49:37 GMT'
const PATHS = ['/content', '/version', '/dated', '/own', '/stream', '/small', '/json', '/opt-out'] as const

async function buildApp (): Promise<FastifyInstance> {
  const app = fastify()
  await app.register(compression, { shed: false })
  await app.register(cacheHeaders, { cacheControl: { public: true, maxAge: '1m' }, cdnCacheControl: { maxAge: '1h' } })
  app.get('/content', async () => TEXT)
  app.route({ method: ['GET', 'PUT'], url: '/version', config: { cacheHeaders: { version: () => 'v1' } }, handler: async () => TEXT })
  app.route({ method: ['GET', 'PUT'], url: '/dated', config: { cacheHeaders: { version: () => new Date(Date.parse(CHANGED)) } }, handler: async () => TEXT })
  app.get('/own', async (_request, reply) => reply.header('etag', 'W/"\u00e9,a"').header('last-modified', CHANGED).send(TEXT))
  app.get('/stream', async (_request, reply) => reply.type('text/plain').header('etag', '"v1"').send(Readable.from([TEXT.slice(0, 900), TEXT.slice(900)])))
  app.get('/small', async () => TEXT.slice(0, 43))
  app.get('/json', async () => ({ text: TEXT }))
  app.get('/opt-out', { config: { compression: { allowOptOut: true, reflectsInput: true } } }, async () => TEXT)
  await app.ready()
  return app
}

function bodyOf (path: string): string {
  return path === '/small' ? TEXT.slice(0, 43) : path === '/json' ? JSON.stringify({ text: TEXT }) : TEXT
}

/** Mulberry32: https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
function random (seed: number) {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!
  /** Bytes that Node lets through in a field. */
  const noise = (): string => Array.from({ length: below(30) }, () => String.fromCharCode(pick([9, 32, 34, 44, 59, 61, 92, 33 + below(94), 128 + below(128)]))).join('')
  const list = (member: () => string): string => {
    const length = next() < 0.02 ? 300 : 1 + below(4)
    return Array.from({ length }, member).join(pick([', ', ',', ' , ', ',,', '\t,', ';', ' ']))
  }
  return { next, below, pick, noise, list }
}

type Random = ReturnType<typeof random>

const SUFFIXES = ['', '', ':br', ':gzip', ':deflate', ':br-low', ':zstd', ':', ':gzip:gzip', ':nothing']

/** Headers as clients send them, and as nobody should. @param tags those that there are */
function headersOf ({ next, below, pick, noise, list }: Random, tags: readonly string[]): Record<string, string> {
  const tag = (): string => pick([
    () => pick(tags), () => `W/${pick(tags)}`, () => `"v1${pick(SUFFIXES)}"`, () => `W/"v1${pick(SUFFIXES)}"`, () => `"${noise()}"`, () => `"${noise()}`, noise,
    () => '*', () => '""', () => 'W/', () => 'w/"v1"', () => '"', () => '"v1""v1"', () => `"${'a'.repeat(below(2_000))}"`
  ])()
  const weight = (): string => pick(['', '', ';q=0', ';q=1', ';q=0.5', `;q=0.${below(1_000)}`, `; q=${next()}`, ';q=1.001', ';q=-0', ';q=NaN', ';q=1e3', ';q', ';', ';q=0;q=1', `;${noise()}`, ';Q=0.000'])
  const coding = (): string => pick(['gzip', 'br', 'deflate', 'zstd', 'identity', '*', 'x-gzip', 'GZip', 'compress', '', '__proto__', 'constructor', noise()]) + weight()
  const date = (): string => pick([
    CHANGED, 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994', 'Sun, 06 Nov 1994 08:49:36 GMT', new Date(below(2 ** 31) * 1_000).toUTCString(), new Date(NaN).toString(),
    '0', '', 'Sun, 99 Nov 1994 99:99:99 GMT', 'Sun, 29 Feb 2023 08:49:37 GMT', 'Sun, 06 Nov 0000 08:49:37 GMT', 'Fri, 31 Dec 9999 23:59:60 GMT', noise()
  ])
  const headers: Record<string, string> = {}
  if (next() < 0.6) headers['accept-encoding'] = list(coding)
  if (next() < 0.5) headers['if-none-match'] = list(tag)
  if (next() < 0.2) headers['if-match'] = list(tag)
  if (next() < 0.3) headers['if-modified-since'] = date()
  if (next() < 0.2) headers['if-unmodified-since'] = date()
  if (next() < 0.1) headers['x-no-compression'] = noise()
  if (next() < 0.1) headers.authorization = noise()
  if (next() < 0.1) headers.range = `bytes=${below(100)}-${below(100)}`
  return headers
}

/** What a reply is, of what it may not be; undefined for one that is right. */
function wrong (method: string, path: string, sent: Record<string, string>, { statusCode, headers, rawPayload }: LightMyRequestResponse): string | undefined {
  const is = (...names: string[]): boolean => names.some((name) => name in sent)
  const isEmpty = rawPayload.length === 0
  if (statusCode === 304) {
    if (method === 'PUT' || !is('if-none-match', 'if-modified-since')) return '304 of what has no condition'
    if (!isEmpty || 'content-type' in headers || 'content-length' in headers || 'content-encoding' in headers) return '304 with something of a body'
    return headers.vary?.includes('Accept-Encoding') && headers['cache-control'] !== undefined ? undefined : '304 without what the 200 says'
  }
  if (statusCode === 412) return is('if-match', 'if-unmodified-since') || (method === 'PUT' && is('if-none-match')) ? undefined : '412 of what has no condition'
  if (statusCode === 406) return method !== 'PUT' && /(?:identity|\*)/i.test(sent['accept-encoding'] ?? '') ? undefined : '406 of what accepts something'
  if (statusCode !== 200) return `status ${statusCode}`
  if (method === 'HEAD') return isEmpty ? undefined : 'HEAD with a body'
  if (headers['content-length'] !== undefined && Number(headers['content-length']) !== rawPayload.length) return 'another length than it says'
  return String(decoded({ headers: headers as Record<string, string>, body: rawPayload })) === bodyOf(path) ? undefined : 'another body'
}

t.test(`${REQUESTS} requests with headers of all kinds are answered rightly, each`, { timeout: 300_000 }, async (t) => {
  const app = await buildApp()
  t.teardown(() => app.close())
  const source = random(SEED)
  const tags = new Set(['"v1"', '"1994-11-06T08:49:37.000Z"', 'W/"\u00e9,a"'])
  const statuses: Record<string, number> = {}
  const mistakes: string[] = []

  const one = async (): Promise<void> => {
    const path = source.pick(PATHS)
    const method = source.pick(path === '/version' || path === '/dated' ? ['GET', 'HEAD', 'PUT'] as const : ['GET', 'GET', 'HEAD'] as const)
    const headers = headersOf(source, Array.from(tags))
    const reply = await app.inject({ method, url: path, headers })
    statuses[reply.statusCode] = (statuses[reply.statusCode] ?? 0) + 1
    if (typeof reply.headers.etag === 'string' && tags.size < 60) tags.add(reply.headers.etag)
    const mistake = wrong(method, path, headers, reply)
    if (mistake !== undefined) mistakes.push(`${mistake}: ${method} ${path} ${JSON.stringify(headers)}`)
  }
  for (let done = 0; done < REQUESTS; done += 20) await Promise.all(Array.from({ length: 20 }, one))

  t.strictSame(mistakes.slice(0, 5), [])
  t.comment(JSON.stringify(statuses))
  for (const status of [200, 304, 412, 406]) t.ok(statuses[status]! > REQUESTS / 200, `some get ${status}`)
})
