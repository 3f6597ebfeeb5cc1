import { ESLint } from 'eslint'
import t from 'tap'

const importRules = ['@typescript-eslint/no-restricted-imports', 'no-restricted-syntax']

const eslint = new ESLint({
  // The snippets stand in no tsconfig, so only the import rule runs: it needs no types.
  ruleFilter: ({ ruleId }) => importRules.includes(ruleId),
  overrideConfig: { languageOptions: { parserOptions: { projectService: false } } }
})

async function complaints (filePath: string, code: string): Promise<string[]> {
  const results = await eslint.lintText(`${code}\n`, { filePath })
  return results.flatMap(({ messages }) => messages.map(({ message }) => message))
}

const technique = 'plugins/cache/index.ts'
const core = 'plugins/cache/single-flight.ts'
const deepCore = 'plugins/cache/tiers/memory.ts'
const kernel = 'plugins/shared/units.ts'
const suite = 'plugins/index.ts'

const allowed: Array<[file: string, code: string]> = [
  [technique, "import fp from 'fastify-plugin'"],
  [technique, "import { parse } from '../shared/units.js'"],
  [technique, "import { SingleFlight } from './single-flight.js'"],
  [technique, "import type { SlowRequestOptions } from '../slow-request/index.js'"],
  [technique, "import { type SlowRequestOptions } from '../slow-request/index.js'"],
  [technique, "import type { Redis } from 'ioredis'"],
  [technique, "await import('./single-flight.js')"],
  [core, "import createError from '@fastify/error'"],
  [core, "import type { FastifyInstance } from 'fastify'"],
  [core, "import { LRUCache } from 'lru-cache'"],
  [core, "import { performance } from 'node:perf_hooks'"],
  [core, "import { pgText } from 'pg-text'"],
  [deepCore, "import { parse } from '../../shared/units.js'"],
  [deepCore, "import { Entry } from '../entry.js'"],
  [kernel, "import fp from 'fastify-plugin'"],
  [kernel, "import { parse } from './options.js'"],
  [suite, "import cache from './cache/index.js'"],
  [suite, "import fp from 'fastify-plugin'"],
  ['example-app/app.ts', "import headroom from 'fastify-headroom'"],
  ['example-app/app.ts', "import cache from 'fastify-headroom/cache'"],
  ['example-app/app.ts', "import pg from 'pg'"],
  ['example-app/app.ts', "import database from './plugins/database.js'"],
  ['example-app/routes/users.ts', "import database from '../plugins/database.js'"],
  ['test/composition/order.test.ts', "import headroom from 'fastify-headroom'"],
  ['test/cache/single-flight.test.ts', "import { SingleFlight } from '../../plugins/cache/single-flight.js'"]
]

const forbidden: Array<[file: string, code: string, reason: RegExp]> = [
  [technique, "import slow from '../slow-request/index.js'", /never another technique/],
  [technique, "export { slow } from '../slow-request/index.js'", /never another technique/],
  [technique, "export * from '../slow-request/index.js'", /never another technique/],
  [technique, "await import('../slow-request/index.js')", /never another technique/],
  [technique, "import headroom from '../index.js'", /never another technique/],
  [technique, "import slow from 'fastify-headroom/slow-request'", /plugins meet through decorators/],
  [technique, "import slow from './../slow-request/index.js'", /shortest path/],
  [technique, "import slow from '../shared/../slow-request/index.js'", /shortest path/],
  [technique, "import { Redis } from 'ioredis'", /Clients are passed in/],
  [technique, "import pg from 'pg'", /Clients are passed in/],
  [technique, "import Cursor from 'pg/lib/cursor.js'", /Clients are passed in/],
  [technique, "import mongoose, { type Model } from 'mongoose'", /Clients are passed in/],
  [technique, "import redis from '@fastify/redis'", /Clients are passed in/],
  [technique, "await import('mongoose')", /Clients are passed in/],
  [technique, "import { start } from '../../services/redis.js'", /outside plugins/],
  [technique, "import type { Service } from '../../services/redis.js'", /outside plugins/],
  [core, "import fastify from 'fastify'", /pure core/],
  [core, "import fp from 'fastify-plugin'", /pure core/],
  [core, "import etag from '@fastify/etag'", /pure core/],
  [core, "await import('@fastify/etag')", /pure core/],
  [deepCore, "import slow from '../../slow-request/index.js'", /never another technique/],
  [deepCore, "import fp from 'fastify-plugin'", /pure core/],
  [deepCore, "import { start } from '../../../services/redis.js'", /outside plugins/],
  [kernel, "import cache from '../cache/index.js'", /kernel serves/],
  [kernel, "import type { Cache } from '../cache/index.js'", /kernel serves/],
  [kernel, "import { Redis } from 'ioredis'", /Clients are passed in/],
  [suite, "import { Pool } from 'pg'", /Clients are passed in/],
  [suite, "import { start } from '../services/redis.js'", /outside plugins/],
  ['example-app/app.ts', "import cache from '../plugins/cache/index.js'", /as a user would/],
  ['example-app/app.ts', "import type { Cache } from '../plugins/cache/index.js'", /as a user would/],
  ['example-app/app.ts', "await import('../plugins/cache/index.js')", /as a user would/],
  ['example-app/routes/users.ts', "import cache from '../../plugins/cache/index.js'", /as a user would/],
  ['bench/cache.ts', "import cache from '../dist/cache/index.js'", /as a user would/],
  ['test/composition/order.test.ts', "import cache from '../../plugins/cache/index.js'", /as a user would/]
]

t.test('an import that the design allows passes the lint run', async (t) => {
  for (const [file, code] of allowed) {
    t.same(await complaints(file, code), [], `${file}: ${code}`)
  }
})

t.test('an import that the design forbids is reported once, with the reason', async (t) => {
  for (const [file, code, reason] of forbidden) {
    const found = await complaints(file, code)
    t.equal(found.length, 1, `${file}: ${code}`)
    t.match(found[0], reason, `${file}: ${code}`)
  }
})
