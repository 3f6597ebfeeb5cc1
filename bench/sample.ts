/** What one round of one variant gave. */
export interface Sample {
  /** Operations or requests a second. */
  perSecond: number
  /** CPU time of the variant's process, in microseconds an operation or request. */
  cpu: number
  /** Latency in milliseconds; requests only. */
  latency?: { p50: number, p99: number }
}

export type Metric = 'perSecond' | 'cpu'

/** The samples of each variant; those at the same place belong to the same round. */
export type Rounds = ReadonlyMap<string, readonly Sample[]>
