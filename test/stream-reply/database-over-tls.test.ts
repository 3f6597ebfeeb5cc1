import { chmod, chown, copyFile, mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { unprivilegedUser } from '../../services/unprivileged-user.js'
import { eventually } from '../helpers/eventually.js'
import { ownPostgres } from '../helpers/postgres.js'
import { project } from '../helpers/project.js'
import { buildApp } from './build-app.js'

/** Files that the server takes: of its user, and nobody else's. */
async function certificate (t: Test): Promise<{ ssl_cert_file: string, ssl_key_file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'headroom-tls-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await chmod(folder, 0o755)
  const user = await unprivilegedUser()
  const [cert, key] = await Promise.all(['cert', 'key'].map(async (name) => {
    const file = join(folder, `${name}.pem`)
    await copyFile(join(project, `test/stream-reply/fixtures/tls/${name}.pem`), file)
    await chmod(file, 0o600)
    if (user !== undefined) await chown(file, user.uid, user.gid)
    return file
  }))
  return { ssl_cert_file: cert!, ssl_key_file: key! }
}

t.test('over TLS rows come whole, and queries are cancelled on a connection of TLS too', async (t) => {
  const { url } = await ownPostgres(t, { settings: { ssl: 'on', ...await certificate(t) } })
  const { app, pool } = await buildApp(t, `${url}?sslmode=no-verify`, (app) => {
    const sql = 'SELECT i, repeat(\'x\', 200) AS text FROM (SELECT generate_series(1, 100000) AS i) AS numbers'
    app.get('/json', async (_request, reply) => await reply.streamQuery(sql))
    app.get('/csv', async (_request, reply) => await reply.streamQuery(sql, { format: 'csv' }))
    app.get('/cursor', async (_request, reply) => await reply.streamQuery({ text: `${sql} WHERE i > $1`, values: [0] }, { format: 'csv' }))
    app.get('/endless', async (_request, reply) => await reply.streamQuery('SELECT repeat(\'x\', 2000) AS text, pg_sleep(0.001) FROM generate_series(1, 1000000)'))
  }, { max: 1 })
  t.strictSame((await pool.query<{ ssl: boolean }>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows, [{ ssl: true }])
  const { processID } = await pool.connect().then((client) => { client.release(); return client as unknown as { processID: number } })
  for (let round = 0; round < 3; round++) {
    const rows = (await app.inject('/json')).json<Array<{ i: number }>>()
    t.ok(rows.length === 100_000 && rows.every(({ i }, index) => i === index + 1))
    for (const path of ['/csv', '/cursor']) t.equal((await app.inject(path)).body.split('\r\n').length, 100_002)
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  for (let round = 0; round < 5; round++) {
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually(() => app.streamReply.stats().running === 1)
    socket.destroy()
    await eventually(() => app.streamReply.stats().running === 0 && pool.idleCount === 1)
  }
  t.strictSame((await pool.query('SELECT pg_backend_pid() AS pid')).rows, [{ pid: processID }], 'it is the same connection still')
})
