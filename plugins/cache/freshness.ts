export interface LifetimeOptions {
  /** Milliseconds that the value is fresh. */
  readonly ttl: number
  /** The share of the ttl, from 0 to 1, by which it may be shortened at random. */
  readonly jitter: number
  /** Milliseconds after that for which it may be given out while it is loaded anew. */
  readonly stale: number
  /** Milliseconds after that for which it may be given out when loading it anew fails. */
  readonly staleOnError: number
}

/**
 * Wall-clock milliseconds: times of day, which all processes have in common. Where that clock is set back, or is behind in another
 * process, they are further off than was meant: see `set-back.ts` for what is in memory, `open` of `envelope.ts` for what comes from Redis.
 */
export interface Lifetime {
  readonly freshUntil: number
  /** Until when it is kept for those who accept it stale. */
  readonly keptUntil: number
}

/**
 * From when a value is fresh and kept until when. Jitter only shortens, so that values kept at once do not all end at
 * once, and none is given out as fresh for longer than its ttl, as long as nobody sets the clock.
 *
 * @param random as `Math.random`
 */
export function lifetime ({ ttl, jitter, stale, staleOnError }: LifetimeOptions, now: number, random: () => number): Lifetime {
  const freshUntil = now + ttl * (1 - jitter * random())
  return { freshUntil, keptUntil: freshUntil + Math.max(stale, staleOnError) }
}

/** Milliseconds that such a value is kept, at most. */
export function retentionOf ({ ttl, stale, staleOnError }: Omit<LifetimeOptions, 'jitter'>): number {
  return ttl + Math.max(stale, staleOnError)
}

/**
 * XFetch (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, VLDB 2015): whether to load
 * a fresh value anew already now, the likelier the nearer its end and the longer its load took.
 *
 * @param value `freshUntil` in wall-clock milliseconds, `loadTime` in milliseconds
 * @param beta 1 is optimal for loads whose time does not vary; larger refreshes earlier
 */
export function dueEarly (value: { readonly freshUntil: number, readonly loadTime: number }, beta: number, now: number, random: () => number): boolean {
  return !isFarFromEnd(value, beta, now) && now - beta * value.loadTime * Math.log(1 - random()) >= value.freshUntil
}

/** Whether the chance that `dueEarly` says yes is below one in ten thousand million: no random number need be drawn. */
export function isFarFromEnd ({ freshUntil, loadTime }: { readonly freshUntil: number, readonly loadTime: number }, beta: number, now: number): boolean {
  return now + 23 * beta * loadTime < freshUntil
}
