/** Keys in groups, each with a tag, a resource and a writer of its own. */
export const GROUPS = 20
export const GROUP_SIZE = 10
export const KEYS = GROUPS * GROUP_SIZE

/** Versions of a key whose acknowledgements are remembered: more than a minute brings. */
const REMEMBERED = 4_096

/** Milliseconds, of a clock that all threads share: that of `performance` starts anew in each. */
export function moment (): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** What a version was superseded by, moments of `moment()`; undefined where nobody had been told by then. */
export interface Superseded {
  /** When the first change after it was acknowledged. */
  readonly since: number
  /** When the first change after it was acknowledged as shared: Redis, and so every other process, had been told. */
  readonly sharedSince: number | undefined
}

/** The source that is cached, and when the cache acknowledged each of its changes. All threads see the same. */
export class Ledger {
  readonly buffer: SharedArrayBuffer
  readonly #versions: Int32Array
  /** Nanoseconds, negative where the change was not shared; 0 while it is not acknowledged. */
  readonly #acknowledged: BigInt64Array

  constructor (buffer = new SharedArrayBuffer(KEYS * 8 + KEYS * REMEMBERED * 8)) {
    this.buffer = buffer
    this.#versions = new Int32Array(buffer, 0, KEYS)
    this.#acknowledged = new BigInt64Array(buffer, KEYS * 8, KEYS * REMEMBERED)
  }

  version (key: number): number {
    return Atomics.load(this.#versions, key)
  }

  /** For the one writer of the key. @returns the version that the source has from now on */
  change (key: number): number {
    const version = this.version(key) + 1
    Atomics.store(this.#acknowledged, place(key, version), 0n)
    Atomics.store(this.#versions, key, version)
    return version
  }

  /** The cache has said that it knows of the change that brought this version. */
  acknowledge (key: number, version: number, shared: boolean): void {
    const now = process.hrtime.bigint()
    Atomics.store(this.#acknowledged, place(key, version), shared ? now : -now)
  }

  /** @throws RangeError where the source never had the version, or had it too long ago to tell */
  superseded (key: number, version: number, by: number): Superseded | undefined {
    const newest = this.version(key)
    if (!(version >= 0 && version <= newest)) throw new RangeError(`key ${key} never had the version ${version}, but ${newest}`)
    if (newest - version >= REMEMBERED) throw new RangeError(`key ${key} had the version ${version} long ago: now it has ${newest}`)
    let since: number | undefined
    for (let newer = version + 1; newer <= newest; newer++) {
      const acknowledged = Number(Atomics.load(this.#acknowledged, place(key, newer))) / 1e6
      if (acknowledged === 0 || Math.abs(acknowledged) >= by) continue
      since ??= Math.abs(acknowledged)
      if (acknowledged > 0) return { since, sharedSince: acknowledged }
    }
    return since === undefined ? undefined : { since, sharedSince: undefined }
  }
}

function place (key: number, version: number): number {
  return key * REMEMBERED + version % REMEMBERED
}
