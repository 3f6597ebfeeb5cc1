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
  #isOpen = true

  constructor (pool: object, name: string, around: (...args: any[]) => unknown) {
    this.#pool = pool
    this.#name = name
    this.#below = Reflect.get(pool, name) as Method
    const layer = this
    this.#own = function (this: unknown, ...args: unknown[]) {
      return layer.#isOpen ? around(...args) : Reflect.apply(layer.below, pool, args)
    }
    this.#own[LAYER] = this
    Reflect.set(pool, name, this.#own)
  }

  /** What is called in the end, or the next layer. */
  get below (): Method {
    for (let layer = this.#below[LAYER]; layer !== undefined && !layer.#isOpen; layer = this.#below[LAYER]) this.#below = layer.#below
    return this.#below
  }

  get isOverAnother (): boolean {
    return LAYER in this.below
  }

  close (): void {
    this.#isOpen = false
    // What somebody else has put around it since goes on calling it.
    if (Reflect.get(this.#pool, this.#name) !== this.#own) return
    // Most pools have it of their class.
    Reflect.deleteProperty(this.#pool, this.#name)
    if (Reflect.get(this.#pool, this.#name) !== this.below) Reflect.set(this.#pool, this.#name, this.below)
  }
}
