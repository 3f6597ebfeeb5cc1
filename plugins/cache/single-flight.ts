/** What is on its way, one for each key. */
export interface Keyed {
  readonly key: string
}

/** One run at a time for each key: who asks while it is on its way joins it. */
export class SingleFlight<Flight extends Keyed> {
  readonly #flights = new Map<string, Flight>()

  /** The flight under way, if any. */
  get (key: string): Flight | undefined {
    return this.#flights.get(key)
  }

  depart (flight: Flight): Flight {
    this.#flights.set(flight.key, flight)
    return flight
  }

  /** Owner-checked: after a `forget`, a younger flight may stand under this key. */
  land (flight: Flight): void {
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key)
  }

  /** Later callers start anew: what the flight brings may be older than what they must see. */
  forget (key: string): void {
    this.#flights.delete(key)
  }

  /** @returns the keys of those */
  forgetWhere (outdated: (flight: Flight) => boolean): string[] {
    const forgotten: string[] = []
    for (const flight of this.#flights.values()) if (outdated(flight)) forgotten.push(flight.key)
    for (const key of forgotten) this.#flights.delete(key)
    return forgotten
  }

  forgetAll (): void {
    this.#flights.clear()
  }
}
