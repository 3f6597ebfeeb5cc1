/** Milliseconds in which a signal is the same one again: Ctrl-C comes from the terminal, and once more from npm. */
const SAME = 500

/** Calls `stop` with the first SIGINT or SIGTERM. Who sends another one later does not want to wait for it. */
export function onStopSignal (stop: () => void): void {
  let since: number | undefined
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const now = performance.now()
      if (since === undefined) {
        since = now
        stop()
      } else if (now - since > SAME) {
        process.stderr.write(`second ${signal}: not waiting any longer\n`)
        process.exit(1)
      }
    })
  }
}
