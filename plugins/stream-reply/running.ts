/** Replies that are being sent: what ends them when the app closes. */
export class Running {
  readonly #ends = new Set<(reason: Error) => void>()
  #closing: Error | undefined
  #timer: NodeJS.Timeout | undefined

  /** Why no more can begin. */
  get closing (): Error | undefined {
    return this.#closing
  }

  add (end: (reason: Error) => void): () => void {
    this.#ends.add(end)
    return () => { this.#ends.delete(end) }
  }

  /** What has begun may end by itself, for a while. */
  close (reason: Error, milliseconds: number): void {
    this.#closing = reason
    this.#timer = setTimeout(() => { this.#endAll(reason) }, milliseconds).unref()
  }

  /** Of a reply without a connection the server does not wait for the end: whoever has it will not read on. */
  closed (): void {
    clearTimeout(this.#timer)
    if (this.#closing !== undefined) this.#endAll(this.#closing)
  }

  #endAll (reason: Error): void {
    for (const end of this.#ends) end(reason)
  }
}
