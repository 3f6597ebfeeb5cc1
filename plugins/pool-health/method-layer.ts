/** On a method that a layer has put in the place of another. */
const LAYER = Symbol('headroom.poolHealth.layer')

type Method = ((...args: any[]) => unknown) & { [LAYER]?: MethodLayer }

/**
 * A method of a pool with something around it. Several apps can watch one pool, each with a layer of its own, and end in any
 * order: a layer that has been closed under another lets everything by, and is left out as soon as it is looked at.
 */
export class MethodLayer {
  readonly #pool: object
  readonly #name: string
  readonly #own: Method
  #below: Method
  #isOverAnother: boolean
  /** Whoever puts it around a method lets everything by when it is not. */
  isOpen = true

  /** @param own calls `below` on the pool, and nothing else when the layer is closed */
  constructor (pool: object, name: string, own: (...args: any[]) => unknown) {
    this.#pool = pool
    this.#name = name
    this.#below = Reflect.get(pool, name) as Method
    this.#isOverAnother = LAYER in this.#below
    this.#own = own
    this.#own[LAYER] = this
    Reflect.set(pool, name, own)
  }

  /** What is called in the end, or the next layer. */
  get below (): Method {
    return this.#isOverAnother ? this.#openBelow() : this.#below
  }

  get isOverAnother (): boolean {
    return this.#isOverAnother
  }

  close (): void {
    this.isOpen = false
    // What somebody else has put around it since goes on calling it.
    if (Reflect.get(this.#pool, this.#name) !== this.#own) return
    // Most pools have it of their class.
    Reflect.deleteProperty(this.#pool, this.#name)
    if (Reflect.get(this.#pool, this.#name) !== this.below) Reflect.set(this.#pool, this.#name, this.below)
  }

  #openBelow (): Method {
    let layer = this.#below[LAYER]
    for (; layer !== undefined && !layer.isOpen; layer = this.#below[LAYER]) this.#below = layer.#below
    this.#isOverAnother = layer !== undefined
    return this.#below
  }
}
