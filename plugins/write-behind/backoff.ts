export interface BackoffOptions {
  /** Milliseconds after the first failure. */
  first: number
  /** Milliseconds at most. */
  longest: number
  /** From 0 up to, not including, 1. */
  random: () => number
}

/**
 * Milliseconds to wait after so many failures in a row: twice as long with each, half of it at random, so that what failed
 * together does not come back together.
 */
export function backoff (failures: number, { first, longest, random }: BackoffOptions): number {
  const whole = Math.min(longest, first * 2 ** Math.min(failures - 1, 50))
  return whole / 2 * (1 + random())
}
