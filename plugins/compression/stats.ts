/** What was compressed of one route. */
export interface RouteCompression {
  readonly method: string
  /** The route's pattern. */
  readonly route: string
  /** Replies that were compressed. */
  compressed: number
  /** Replies that could have been, and were not because the app was busy. */
  shed: number
  /** Bytes, before and after. */
  bytesIn: number
  bytesOut: number
  readonly bytesSaved: number
  /** Milliseconds that compressing took; of streams none are counted: they last as long as their source. */
  milliseconds: number
}

/** Of one route. */
export class RouteCounts {
  readonly #counts: Omit<RouteCompression, 'bytesSaved'>

  constructor (method: string, route: string) {
    this.#counts = { method, route, compressed: 0, shed: 0, bytesIn: 0, bytesOut: 0, milliseconds: 0 }
  }

  add (bytesIn: number, bytesOut: number, milliseconds: number): void {
    const counts = this.#counts
    counts.compressed++
    counts.bytesIn += bytesIn
    counts.bytesOut += bytesOut
    counts.milliseconds += milliseconds
  }

  shed (): void {
    this.#counts.shed++
  }

  snapshot (): Readonly<RouteCompression> {
    const { bytesIn, bytesOut } = this.#counts
    return { ...this.#counts, bytesSaved: bytesIn - bytesOut }
  }
}
