import type { Test } from 'tap'

/** Sets environment variables for the rest of this test; `undefined` unsets one. */
export function setEnvironment (t: Test, variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name]
    t.teardown(() => { assign(name, before) })
    assign(name, value)
  }
}

function assign (name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}
