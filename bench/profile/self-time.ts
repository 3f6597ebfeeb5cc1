import type { Frame } from './cpu-profile.js'
import type { Place, Whose } from './place.js'

export interface FunctionTime extends Place {
  /** Microseconds in the function itself. */
  self: number
  /** Of the time that was not idle, from 0 to 1. */
  share: number
}

export interface Summary {
  /** Most self time first. */
  functions: FunctionTime[]
  /** Shares of the time that was not idle, largest first. */
  whose: Array<{ whose: Whose, share: number }>
}

/** @param root of a call tree; a function that stands in it at several places is summed up */
export function summarise (root: Frame, placeOf: (frame: Frame) => Place): Summary {
  const functions = new Map<string, Place & { self: number }>()
  let busy = 0
  visit(root)
  const bySelf = [...functions.values()].map((own) => ({ ...own, share: own.self / busy })).sort((a, b) => b.self - a.self)
  const shares = new Map<Whose, number>()
  for (const { whose, share } of bySelf) shares.set(whose, (shares.get(whose) ?? 0) + share)
  return {
    functions: bySelf,
    whose: [...shares].map(([whose, share]) => ({ whose, share })).sort((a, b) => b.share - a.share)
  }

  function visit (frame: Frame): void {
    if (!isIdle(frame) && frame.self > 0) add(placeOf(frame), frame.self)
    frame.children.forEach(visit)
  }

  function add (place: Place, self: number): void {
    busy += self
    const key = `${place.name}\n${place.where}`
    const known = functions.get(key)
    if (known) known.self += self
    else functions.set(key, { ...place, self })
  }
}

export function isIdle ({ name, url }: Frame): boolean {
  return name === '(idle)' && url === ''
}
