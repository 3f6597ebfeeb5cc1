import { envSchema } from 'env-schema'

/** What the example reads from its environment; the descriptions are what a wrong value is answered with. */
export interface Config {
  HOST: string
  PORT: number
  LOG_LEVEL: string
  DATABASE_URL: string
  REDIS_URL: string
  POOL_MAX: number
  TOKEN_SECRET: string
  SEED_USERS: number
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Everybody can read it here, and the README has a token that it signed: it guards made-up users only. */
const DEMO_SECRET = 'of the demo, known to everybody who reads this'

const SCHEMA = {
  type: 'object',
  properties: {
    HOST: { type: 'string', minLength: 1, default: '127.0.0.1', description: 'a host name or address to listen on' },
    PORT: { type: 'integer', minimum: 0, maximum: 65_535, default: 3000, description: 'a port from 0 (any free one) to 65535' },
    LOG_LEVEL: {
      type: 'string',
      enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      default: 'warn',
      description: 'one of fatal, error, warn, info, debug, trace, silent'
    },
    DATABASE_URL: { type: 'string', pattern: '^$|^postgres(ql)?://.', default: '', description: 'a URL that begins with postgres:// or postgresql://' },
    REDIS_URL: { type: 'string', pattern: '^$|^rediss?://.', default: '', description: 'a URL that begins with redis:// or rediss://' },
    POOL_MAX: { type: 'integer', minimum: 1, maximum: 1_000, default: 20, description: 'a number of database connections from 1 to 1000' },
    TOKEN_SECRET: { type: 'string', minLength: 32, default: DEMO_SECRET, description: 'a secret of 32 characters or more' },
    SEED_USERS: { type: 'integer', minimum: 1, maximum: 10_000_000, default: 100_000, description: 'a number of users from 1 to 10000000' }
  }
}

/** @throws ConfigError naming every variable that is wrong, what was expected and what it holds */
export function readConfig (environment: NodeJS.ProcessEnv): Config {
  try {
    return envSchema<Config>({ schema: SCHEMA, data: environment, env: false })
  } catch (error) {
    const wrong = new Set((error as { errors?: Array<{ instancePath: string }> }).errors?.map(({ instancePath }) => instancePath.slice(1)))
    if (wrong.size === 0) throw error
    throw new ConfigError([...wrong].map((name) => explain(name, environment[name])).join('\n'), { cause: error })
  }
}

function explain (name: string, value: string | undefined): string {
  const { description } = SCHEMA.properties[name as keyof Config]
  const got = name === 'TOKEN_SECRET' ? `one of ${value?.length ?? 0}` : JSON.stringify(withoutSecrets(value ?? ''))
  return `environment variable ${name}: expected ${description}, got ${got}`
}

/** A URL as it may be shown: its user and password are not for the screen. */
export function withoutSecrets (url: string): string {
  return url.replace(/\/\/.*@/s, '//…@').replace(/([?&][^=&]*(?:user|pass)[^=&]*=)[^&#]*/gi, '$1…')
}
