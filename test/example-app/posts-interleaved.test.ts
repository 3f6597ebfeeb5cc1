import t from 'tap'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { performance } from 'node:perf_hooks'
import zlib from 'node:zlib'
import { eventually } from '../helpers/eventually.js'
import { buildExample, seededPostgres } from '../helpers/example-app.js'
import { query } from '../helpers/postgres.js'

const CLIENTS = 16
const POSTS = [1, 2, 3, 4, 5, 6]
const PATHS = ['posts', 'posts-by-content']

/** Requests, and how busy the event loop is said to be: compression tries hard, less so, and not at all. */
const PHASES = [
  { requests: 800, utilization: 0, effort: 'full' },
  { requests: 480, utilization: 0.9, effort: 'low' },
  { requests: 160, utilization: 1, effort: 'none' },
  { requests: 560, utilization: 0, effort: 'full' }
]

// Node 20 has no zstd, and its types know none.
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: (bytes: Buffer) => Buffer }
const DECODERS: Record<string, (bytes: Buffer) => Buffer> = {
  identity: (bytes) => bytes,
  gzip: (bytes) => zlib.gunzipSync(bytes),
  deflate: (bytes) => zlib.inflateSync(bytes),
  br: (bytes) => zlib.brotliDecompressSync(bytes),
  ...zstdDecompressSync && { zstd: zstdDecompressSync }
}
const CODINGS = Object.keys(DECODERS).filter((coding) => coding !== 'identity')
/** What a client accepts; undefined is no field. */
const ACCEPTED = [...Object.keys(DECODERS), undefined]

interface Reply { status: number, etag: string, bytes: Buffer, decoded: string, coding: string }

/** A reply that some client has kept. */
interface Kept extends Reply { accepted: string | undefined }

t.test('of interleaved writes and conditional reads no client has anything but what its tag says', async (t) => {
  const databaseUrl = await seededPostgres(t)
  await query(databaseUrl, `
    CREATE TABLE history (post integer, before text, title text);
    CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO public.history VALUES (old.id, to_char(old.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), new.title);
      RETURN new;
    END $$;
    CREATE TRIGGER remember AFTER UPDATE ON headroom_example.posts FOR EACH ROW EXECUTE FUNCTION remember()`)
  let utilization = 0
  t.intercept(performance, 'eventLoopUtilization', { configurable: true, value: () => ({ idle: 0, active: 0, utilization }) })
  const app = await buildExample(t, { databaseUrl, poolMax: CLIENTS })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const agents = Array.from({ length: CLIENTS }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }))
  t.teardown(() => { for (const agent of agents) agent.destroy() })

  const problems: string[] = []
  const told = new Map<string, Reply>()
  /** By post, the latest date that anybody was told, in milliseconds: who asks then is told no earlier one. */
  const latest = new Map<string, string>()
  const writes: Array<{ post: number, title: string, status: number, ifMatch: string | undefined }> = []
  const counts: Record<string, number> = {}
  const count = (what: string): void => { counts[what] = (counts[what] ?? 0) + 1 }

  async function read (client: number, url: string, accepted: string | undefined, known: readonly Kept[]): Promise<Kept> {
    const post = url.split('/').at(-1)!
    const floor = latest.get(post) ?? ''
    const sent = known.map(({ etag }) => etag)
    const reply = await send(port, agents[client]!, 'GET', url, {
      ...accepted !== undefined && { 'accept-encoding': accepted }, ...sent.length > 0 && { 'if-none-match': sent.join(', ') }
    })
    let kept: Kept = { ...reply, accepted }
    if (reply.status === 304) {
      count('304')
      const one = known.find(({ etag }) => etag === reply.etag)
      if (one === undefined) problems.push(`${url}: 304 for ${reply.etag}, which was not asked about: ${sent.join()}`)
      else kept = { ...one, status: 304 }
      if (reply.bytes.length > 0) problems.push(`${url}: 304 with a body`)
    } else if (reply.status === 200) {
      count(`200 ${reply.coding}${reply.etag.includes('-low"') ? '-low' : ''}`)
      const before = told.get(`${url} ${reply.etag}`)
      told.set(`${url} ${reply.etag}`, before ?? reply)
      if (before !== undefined && before.decoded !== reply.decoded) problems.push(`${url}: ${reply.etag} is of two bodies`)
      if (before !== undefined && !before.bytes.equals(reply.bytes)) problems.push(`${url}: ${reply.etag} is of the same body in two byte sequences`)
      if (reply.coding !== 'identity' && reply.coding !== accepted) problems.push(`${url}: ${reply.coding} was not asked for`)
    } else {
      problems.push(`${url}: ${reply.status} ${reply.decoded}`)
    }
    const date = /"updated_at":"(.*?)"/.exec(kept.decoded)?.[1] ?? ''
    if (date < floor) problems.push(`${url}: ${date} after somebody was told ${floor}`)
    hear(post, date)
    return kept
  }

  async function write (client: number, post: number, body: string | undefined, ifMatch: string | undefined): Promise<number> {
    const title = `Write ${writes.length}`
    const own = { post, title, status: 0, ifMatch }
    writes.push(own)
    const reply = await send(port, agents[client]!, 'PUT', `/api/posts/${post}`, ifMatch === undefined ? {} : { 'if-match': ifMatch }, { title, body })
    own.status = reply.status
    count(`PUT ${ifMatch === undefined ? '' : 'if-match '}${reply.status}`)
    if (reply.status === 200) hear(String(post), JSON.parse(reply.decoded).updated_at)
    else if (reply.status !== 412 || ifMatch === undefined) problems.push(`PUT ${post}: ${reply.status} ${reply.decoded}`)
    return reply.status
  }

  function hear (post: string, date: string): void {
    if (date > (latest.get(post) ?? '')) latest.set(post, date)
  }

  const cases = new Map<string, Kept[]>()
  const keep = (url: string, kept: Kept): void => {
    const all = cases.get(url) ?? []
    cases.set(url, all)
    if (!all.some(({ etag, accepted }) => etag === kept.etag && accepted === kept.accepted)) all.push(kept)
  }
  const clients = agents.map((_agent, client) => {
    const random = randomOf(client + 1)
    const pick = <T> (values: readonly T[]): T => values[Math.floor(random() * values.length)]!
    const own = new Map<string, Kept[]>()
    const get = async (url: string): Promise<Kept> => {
      const known = own.get(url) ?? []
      const got = await read(client, url, pick(ACCEPTED), random() < 0.2 ? [] : known.slice(-pick([1, 3, 8])))
      own.set(url, [...known.filter(({ etag }) => etag !== got.etag), got])
      keep(url, got)
      return got
    }
    return async (): Promise<void> => {
      const post = pick(POSTS)
      if (random() < 0.8) {
        await get(`/api/${pick(PATHS)}/${post}`)
        return
      }
      // Too small to compress, compressed at once, and on another thread.
      const body = pick([undefined, 'lorem', `${client} `.repeat(1_000 + 10 * Math.floor(100 * random())), 'é'.repeat(9_000 + client)])
      const known = random() < 0.5 ? await get(`/api/posts/${post}`) : own.get(`/api/posts/${post}`)?.at(-1)
      await write(client, post, body, random() < 0.6 ? known?.etag : undefined)
    }
  })
  for (const phase of PHASES) {
    ({ utilization } = phase)
    await eventually(() => app.compression.stats().effort === phase.effort)
    await Promise.all(clients.map(async (step) => {
      for (let n = 0; n < phase.requests / CLIENTS; n++) await step()
    }))
  }
  t.same(problems, [])
  t.comment(counts)

  await t.test('each of them happened often enough to mean something', async (t) => {
    for (const what of ['304', ...Object.keys(DECODERS).map((coding) => `200 ${coding}`), ...CODINGS.map((coding) => `200 ${coding}-low`), 'PUT 200', 'PUT if-match 200', 'PUT if-match 412']) {
      t.ok((counts[what] ?? 0) >= 20, `${what}: ${counts[what]}`)
    }
  })

  await t.test('after the last write everybody converges on what the database has', async (t) => {
    for (const post of POSTS) await write(0, post, 'the last one '.repeat(500), undefined)
    for (const [url, all] of cases) {
      const [row] = await query(databaseUrl, `SELECT id, user_id, title, body, updated_at FROM headroom_example.posts WHERE id = ${url.split('/').at(-1)}`)
      const current = JSON.stringify(row)
      for (const accepted of ACCEPTED) {
        const last = await read(1, url, accepted, all.filter((kept) => kept.accepted === accepted).slice(-100))
        t.match([last.status, last.decoded], [200, current], `${url} ${accepted}`)
        const again = await read(2, url, accepted, [last])
        t.match([again.status, again.decoded], [304, current], `${url} ${accepted}`)
        const older = all.filter(({ decoded }) => decoded !== current)
        for (let at = 0; at < older.length; at += 100) {
          const reply = await read(3, url, accepted, older.slice(at, at + 100))
          t.match([reply.status, reply.decoded, reply.etag], [200, current, last.etag])
        }
      }
    }
    t.same(problems, [])
  })

  await t.test('of concurrent writes on one tag exactly one wins', async (t) => {
    for (let round = 0; round < 20; round++) {
      const post = POSTS[round % POSTS.length]!
      const { etag } = await read(0, `/api/posts/${post}`, ACCEPTED[round % ACCEPTED.length], [])
      const statuses = await Promise.all(agents.map((_agent, client) => write(client, post, undefined, etag)))
      t.equal(statuses.filter((status) => status === 200).length, 1)
      t.equal(statuses.filter((status) => status === 412).length, CLIENTS - 1)
    }
  })

  await t.test('a write that was answered 412 changed nothing, and one on a tag changed what has that tag', async (t) => {
    const history = new Map((await query(databaseUrl, 'SELECT post, before, title FROM history')).map(({ title, ...row }) => [title, row]))
    const written = writes.filter(({ status }) => status === 200)
    t.equal(history.size, written.length)
    for (const { post, title, ifMatch } of written) {
      const row = history.get(title)
      if (row?.post !== post) problems.push(`${title} is not there`)
      else if (ifMatch !== undefined && ifMatch.replace(/^"(.*?Z).*/, '$1') !== row.before) problems.push(`${title}: ${ifMatch} over ${String(row.before)}`)
    }
    t.same(problems, [])
  })
})

/** Mulberry32: the same numbers in each run. */
function randomOf (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

async function send (
  port: number, agent: http.Agent, method: string, path: string, headers: Record<string, string>, payload?: object
): Promise<Reply> {
  return await new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, agent, method, path, headers: { ...headers, ...payload !== undefined && { 'content-type': 'application/json' } } }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => { chunks.push(chunk) })
      response.on('error', reject)
      response.on('end', () => {
        const bytes = Buffer.concat(chunks)
        const coding = response.headers['content-encoding'] ?? 'identity'
        resolve({ status: response.statusCode!, etag: response.headers.etag ?? '', bytes, decoded: DECODERS[coding]!(bytes).toString(), coding })
      })
    })
    request.on('error', reject)
    request.end(payload === undefined ? undefined : JSON.stringify(payload))
  })
}
