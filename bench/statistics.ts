/** The middle of a list, and the quartiles around it: where half of it lies. */
export interface Spread {
  low: number
  median: number
  high: number
  /** The median's standard error: how far another run's may easily be from it. */
  error: number
}

/** Of normally distributed values, the standard deviation in quartile distances, and the median's error in the mean's. */
const DEVIATION = 1 / 1.349
const MEDIAN_ERROR = 1.2533

/** @param share from 0 to 1; between two values, what lies proportionally between them */
export function quantile (values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('Expected at least one value, got none')
  const sorted = Float64Array.from(values).sort()
  const place = share * (sorted.length - 1)
  const below = sorted[Math.floor(place)]!
  const above = sorted[Math.ceil(place)]!
  return below + (above - below) * (place - Math.floor(place))
}

export function median (values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function spread (values: readonly number[]): Spread {
  const low = quantile(values, 0.25)
  const high = quantile(values, 0.75)
  return { low, median: median(values), high, error: MEDIAN_ERROR * DEVIATION * (high - low) / Math.sqrt(values.length) }
}
