/**
 * How long who asks now would wait for a connection of a pool that has none left, in milliseconds.
 *
 * Connections come back at the rate of 1/h, summed over those in use, h being what one is held for: the usual of late, and for
 * one that has been held for longer than that, as long again as it has been (who has held it long is likely to hold it long
 * still: without that a leaked one would be expected back at any moment). So many are ahead, each takes one.
 *
 * @param ahead callers queued already
 * @param usualHold milliseconds; 0: not known yet
 * @param ages for how long each connection has been in use, milliseconds
 */
export function predictedWait (ahead: number, usualHold: number, ages: Iterable<number>): number {
  let backPerMillisecond = 0
  for (const age of ages) {
    const held = Math.max(usualHold, age)
    if (held === 0) return 0
    backPerMillisecond += 1 / held
  }
  // A pool in which nobody holds anything: nothing is known.
  return backPerMillisecond === 0 ? 0 : (ahead + 1) / backPerMillisecond
}
