/** One run at a time for each key: who asks while it runs shares its outcome, value or error. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>()

  /** The flight under way, if any. */
  get (key: string): Promise<T> | undefined {
    return this.#flights.get(key)
  }

  start (key: string, run: () => Promise<T>): Promise<T> {
    const flight = run()
    this.#flights.set(key, flight)
    const land = (): void => {
      // Owner-checked: after a `forget`, a younger flight may stand under this key.
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    }
    flight.then(land, land)
    return flight
  }

  /** Later callers start anew: what the flight brings may be older than what they must see. */
  forget (key: string): void {
    this.#flights.delete(key)
  }

  forgetAll (): void {
    this.#flights.clear()
  }
}
