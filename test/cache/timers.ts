import { createHook } from 'node:async_hooks'
import type { Test } from 'tap'

/** How many timers that the plugins have set are neither cleared nor over: it unrefs them, so the process does not list them. */
export function watchTimers (t: Test): () => Promise<number> {
  const alive = new Set<number>()
  const hook = createHook({
    init (id, type) {
      if (type === 'Timeout' && new Error().stack?.includes('/plugins/') === true) alive.add(id)
    },
    destroy (id) { alive.delete(id) }
  }).enable()
  t.teardown(() => { hook.disable() })
  return async () => {
    // Node tells of the end of a timer in a turn of its own.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => { setImmediate(resolve) })
    return alive.size
  }
}
