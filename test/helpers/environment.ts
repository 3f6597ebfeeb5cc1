import type { Test } from 'tap'

/** Sets environment variables for the rest of this test; `undefined` unsets one. */
export function setEnvironment (t: Test, variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name]
    t.teardown(() => { assign(name, before) })
    assign(name, value)
  }
}

/**
 * What a built program gets of this process' environment: where to find things, but not the test runner's own Node
 * options, because the build is plain JavaScript.
 */
export function builtEnvironment (): NodeJS.ProcessEnv {
  const { PATH, HOME, XDG_CACHE_HOME, FASTIFY_HEADROOM_CACHE, REDIS_SERVER } = process.env
  return { PATH, HOME, XDG_CACHE_HOME, FASTIFY_HEADROOM_CACHE, REDIS_SERVER }
}

function assign (name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}
