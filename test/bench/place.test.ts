import t from 'tap'
import { shortPath, whoseIs } from '../../bench/profile/place.js'

t.test('a path tells whose code it is', (t) => {
  for (const [path, whose] of Object.entries({
    '': 'v8',
    'node:internal/timers': 'node',
    'node_modules/fastify/lib/reply.js': 'dependency',
    'plugins/cache/cache.ts': 'headroom',
    'dist/cache/cache.js': 'headroom',
    'example-app/routes/users.ts': 'example',
    'build/example-app/app.js': 'example',
    'services/redis-server.ts': 'services',
    'bench/profile/sampler.ts': 'other'
  })) t.equal(whoseIs(path), whose, path)
  t.end()
})

t.test('of a package\'s file, the package is what matters', (t) => {
  t.equal(shortPath('node_modules/a/node_modules/@b/c/lib/x.js'), '@b/c/lib/x.js')
  t.equal(shortPath('file:///elsewhere/node_modules/a/x.js'), 'a/x.js')
  t.equal(shortPath('plugins/cache/cache.ts'), 'plugins/cache/cache.ts')
  t.end()
})
