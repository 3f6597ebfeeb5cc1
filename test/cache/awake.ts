import type { Test } from 'tap'

/** Keeps the process alive, as a server's socket does: the timers of the cache do not. */
export function stayAwake (t: Test): void {
  const timer = setInterval(() => {}, 60_000)
  t.teardown(() => { clearInterval(timer) })
}
