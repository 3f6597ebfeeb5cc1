import { once } from 'node:events'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { setEnvironment } from '../helpers/environment.js'
import { ownNginx } from '../helpers/nginx.js'
import { isAlive } from './fixtures/spawn-owner.js'

t.test('an nginx answers for the app behind it as soon as it has started, and is gone when stopped', async (t) => {
  const asked: string[] = []
  const app = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} HTTP/${request.httpVersion}`)
    response.end('from behind')
  }).listen(0, '127.0.0.1')
  await once(app, 'listening')
  t.teardown(() => { app.close() })
  const scratch = await mkdtemp(join(tmpdir(), 'headroom-nginx-test-'))
  t.teardown(() => rm(scratch, { recursive: true, force: true }))
  // As the system's temporary folder is, for the unprivileged user that nginx runs as when we are root.
  await chmod(scratch, 0o1777)
  setEnvironment(t, { TMPDIR: scratch })

  const nginx = await ownNginx(t, { upstreamPort: (app.address() as AddressInfo).port })
  const reply = await fetch(`${nginx.url}/here?a=1`)
  t.equal(await reply.text(), 'from behind')
  t.match(reply.headers.get('server'), /^nginx/)
  t.same(asked, ['GET /here?a=1 HTTP/1.0'])
  t.equal(await nginx.log(), '')
  t.equal((await readdir(scratch)).length, 1)

  await nginx.stop()

  t.notOk(isAlive(nginx.pid))
  await t.rejects(fetch(nginx.url), { cause: { code: 'ECONNREFUSED' } })
  t.same(await readdir(scratch), [])
})
