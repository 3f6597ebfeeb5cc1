export interface Gate<T> {
  /** For the loader: settles when the gate is opened. */
  readonly passed: Promise<T>
  open (value: T): void
  fail (error: Error): void
}

/** Holds a load for as long as a test needs. */
export function gate<T> (): Gate<T> {
  let open!: (value: T) => void
  let fail!: (error: Error) => void
  const passed = new Promise<T>((resolve, reject) => { open = resolve; fail = reject })
  return { passed, open, fail }
}

export interface HeldLoad<T> extends Gate<T> {
  /** The loader to hand to `getOrSet`. */
  readonly load: () => Promise<T>
  /** Resolves when the load has begun. */
  readonly begun: Promise<void>
}

export function heldLoad<T> (): HeldLoad<T> {
  const held = gate<T>()
  const started = gate<undefined>()
  return {
    ...held,
    begun: started.passed,
    load () {
      started.open(undefined)
      return held.passed
    }
  }
}
