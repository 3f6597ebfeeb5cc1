import { execFile } from 'node:child_process'
import { access, mkdir, symlink } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { findRedis } from '../../services/redis-binaries.js'
import { setEnvironment } from '../helpers/environment.js'
import { hasApt } from './fixtures/has-apt.js'

const run = promisify(execFile)

t.test('redis-server on PATH is used', async (t) => {
  const bin = join(t.testdir({}), 'bin')
  await mkdir(bin)
  await symlink(process.execPath, join(bin, 'redis-server'))
  setEnvironment(t, { REDIS_SERVER: undefined, PATH: ['/nowhere', bin].join(delimiter) })
  t.same(await findRedis(), { server: join(bin, 'redis-server'), env: {} })
})

t.test('REDIS_SERVER comes before PATH', async (t) => {
  setEnvironment(t, { REDIS_SERVER: process.execPath })
  t.same(await findRedis(), { server: process.execPath, env: {} })
})

t.test('a REDIS_SERVER that cannot be run is told', async (t) => {
  setEnvironment(t, { REDIS_SERVER: '/nowhere/redis-server' })
  await t.rejects(findRedis(), {
    message: 'REDIS_SERVER must be the path of a redis-server, got /nowhere/redis-server, which cannot be run'
  })
})

t.test('without any Redis one line says what to do', async (t) => {
  setEnvironment(t, { REDIS_SERVER: undefined, PATH: '/nowhere', FASTIFY_HEADROOM_CACHE: t.testdir({}) })
  await t.rejects(findRedis(), {
    message: 'No redis-server: install the package redis-server (or put one on PATH), set REDIS_SERVER to its path, or set REDIS_URL to a running Redis'
  })
})

t.test("Debian's package is fetched once into an empty cache folder", { skip: !hasApt && 'no apt-get' }, async (t) => {
  // What is installed must not be found first; apt-get, dpkg and what they call must.
  const bin = join(t.testdir({ bin: {} }), 'bin')
  for (const folder of ['/usr/bin', '/usr/sbin', '/bin', '/sbin']) {
    for (const tool of ['apt-get', 'apt-config', 'dpkg', 'dpkg-deb', 'tar', 'rm', 'sh']) {
      await access(join(folder, tool)).then(() => symlink(join(folder, tool), join(bin, tool))).catch(() => {})
    }
  }
  setEnvironment(t, { REDIS_SERVER: undefined, PATH: bin, FASTIFY_HEADROOM_CACHE: join(t.testdirName, 'new/cache') })
  const progress: string[] = []
  const onProgress = (line: string) => { progress.push(line) }

  const redis = await findRedis(onProgress)
  t.same(await findRedis(onProgress), redis)

  t.same(progress, ["Fetching redis-server from Debian's packages, once…"])
  t.match((await run(redis.server, ['--version'], { env: redis.env })).stdout, 'Redis server v=')
})
