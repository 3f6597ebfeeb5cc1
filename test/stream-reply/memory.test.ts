import http from 'node:http'
import t from 'tap'
import { runApp } from '../helpers/app-process.js'
import { fixture } from '../helpers/project.js'
import { usePostgres } from '../helpers/postgres.js'
import { isSoak } from '../helpers/soak.js'

const MANY = isSoak ? 1_000_000 : 200_000
const FEW = 10_000

/** Bytes that a hundred times as many rows may take more. */
const GROWTH = 40_000_000

t.test(`an export of ${MANY} rows takes hardly more memory than one of ${FEW}`, async (t) => {
  const { url } = await usePostgres(t)
  const app = await runApp(t, fixture('./fixtures/export-app.ts', import.meta.url), { env: { DATABASE: url } })
  const get = async (path: string): Promise<{ bytes: number, last: string }> => await new Promise((resolve, reject) => {
    http.get(app.url + path, (reply) => {
      let bytes = 0
      let last = ''
      reply.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        last = chunk.toString('latin1')
      }).on('end', () => { resolve({ bytes, last }) }).on('error', reject)
    }).on('error', reject)
  })
  for (const path of ['/json', '/json-with-a-value', '/copy', '/cursor', '/rows', '/iterable']) {
    // Compiled, and the heap has its size.
    for (let time = 0; time < 3; time++) await get(`${path}/${FEW}`)
    await get('/peak')
    await get(`${path}/${FEW}`)
    const { peak: few } = JSON.parse((await get('/peak')).last) as { peak: number }
    const { bytes } = await get(`${path}/${MANY}`)
    const { peak: many } = JSON.parse((await get('/peak')).last) as { peak: number }
    t.ok(bytes > MANY * 80)
    t.comment(`${path}: ${Math.round(few / 1e6)} MB of ${FEW} rows, ${Math.round(many / 1e6)} MB of ${MANY}`)
    t.ok(many - few < GROWTH, `${path}: ${many - few} bytes more`)
  }
})
