import t from 'tap'
import { ConfigError, readConfig } from '../../example-app/config.js'

t.test('an empty environment gives the defaults', async (t) => {
  const { TOKEN_SECRET, ...others } = readConfig({})
  t.ok(TOKEN_SECRET)
  t.same(others, { HOST: '127.0.0.1', PORT: 3000, LOG_LEVEL: 'warn', DATABASE_URL: '', REDIS_URL: '', POOL_MAX: 20, SEED_USERS: 100_000 })
})

t.test('a bad variable is named, with what was expected and what it holds', async (t) => {
  for (const [name, value, message] of [
    ['PORT', '80a', 'environment variable PORT: expected a port from 0 (any free one) to 65535, got "80a"'],
    ['PORT', '65536', 'environment variable PORT: expected a port from 0 (any free one) to 65535, got "65536"'],
    ['LOG_LEVEL', 'loud', 'environment variable LOG_LEVEL: expected one of fatal, error, warn, info, debug, trace, silent, got "loud"'],
    ['SEED_USERS', '-1', 'environment variable SEED_USERS: expected a number of users from 1 to 10000000, got "-1"'],
    ['POOL_MAX', '', 'environment variable POOL_MAX: expected a number of database connections from 1 to 1000, got ""'],
    ['REDIS_URL', 'localhost:6379', 'environment variable REDIS_URL: expected a URL that begins with redis:// or rediss://, got "localhost:6379"']
  ] as const) {
    t.throws(() => readConfig({ [name]: value }), new ConfigError(message), `${name}=${value}`)
  }
})

t.test('the password in a bad URL is not shown', async (t) => {
  try {
    readConfig({ DATABASE_URL: 'mysql://me:s3cret@db/app' })
    t.fail('accepted')
  } catch (error) {
    t.notMatch((error as Error).message, /s3cret|me:/)
    t.match((error as Error).message, '"mysql://…@db/app"')
  }
})

t.test('a secret that is too short is not shown', async (t) => {
  t.throws(() => readConfig({ TOKEN_SECRET: 's3cret' }), new ConfigError('environment variable TOKEN_SECRET: expected a secret of 32 characters or more, got one of 6'))
})
