interface Listening {
  readonly callbacks: Set<() => void>
  readonly listener: () => void
}

const bySignal = new WeakMap<AbortSignal, Listening>()

/** Calls back when the signal aborts. One listener serves all callbacks of a signal: of more than ten, Node warns of a leak. */
export function addAbortCallback (signal: AbortSignal, callback: () => void): void {
  let listening = bySignal.get(signal)
  if (listening === undefined) {
    const callbacks = new Set<() => void>()
    listening = { callbacks, listener: () => { for (const call of callbacks) call() } }
    bySignal.set(signal, listening)
    signal.addEventListener('abort', listening.listener)
  }
  listening.callbacks.add(callback)
}

/** With the last callback the listener goes too. */
export function removeAbortCallback (signal: AbortSignal, callback: () => void): void {
  const listening = bySignal.get(signal)
  if (listening?.callbacks.delete(callback) !== true || listening.callbacks.size > 0) return
  signal.removeEventListener('abort', listening.listener)
  bySignal.delete(signal)
}
