import { setTimeout as delay } from 'node:timers/promises'

/** Asks again until it holds; rejects when it does not within `milliseconds`. For what a real server does in its own time. */
export async function eventually (holds: () => Promise<boolean> | boolean, milliseconds = 5_000): Promise<void> {
  const deadline = performance.now() + milliseconds
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error(`did not hold within ${milliseconds} ms: ${holds.toString()}`)
    await delay(2)
  }
}
