import type { Backends } from './backends.js'

/** What a person sees once the app listens. */
export function welcome (url: string, instances: number, { postgres, redis }: Pick<Backends, 'postgres' | 'redis'>): string {
  return `
Headroom's example app listens on ${url}${instances > 1 ? ` (${instances} instances)` : ''}
  Postgres: ${postgres}
  Redis:    ${redis}

Try the first one twice, and see x-served-from change:
  curl -i ${url}/api/users/7
  curl -X PUT ${url}/api/users/7 -H 'content-type: application/json' -d '{"name":"Ada"}'
  curl '${url}/api/users?ids=3,1,2'

Written behind: answered once it waits in Redis, in Postgres a moment later. With ?through=1, saved before the answer:
  curl -i -X PUT ${url}/api/users/7/profile -H 'content-type: application/json' -d '{"headline":"Counts","location":"London"}'
  curl -i ${url}/api/users/7/profile
  curl -i -X POST ${url}/api/users/7/views
  curl ${url}/api/users/7/views
  curl ${url}/api/queues

How the pool of Postgres does, and who keeps a connection, which the log tells after a while. And all users at once:
  curl ${url}/api/health
  curl -X POST ${url}/api/pool/leak
  curl -s -H "accept: text/csv" ${url}/api/export | head -3

Ctrl-C stops it.
`
}
