import { totalOf, type Frame } from './cpu-profile.js'
import type { Place } from './place.js'
import { isIdle } from './self-time.js'

/** A frame of the flame graph; the root is as wide as 1. */
export interface Box extends Place {
  left: number
  width: number
  /** Rows from the root, which is 0. */
  depth: number
  /** Microseconds, with all that it called. */
  total: number
}

/** Narrower boxes nobody could point at; without them the page stays small. */
const NARROWEST = 0.0005

/** Widest first among siblings, so that what matters stands on the left. Idle time is left out. */
export function layOut (root: Frame, placeOf: (frame: Frame) => Place): Box[] {
  const boxes: Box[] = []
  const whole = busyTotal(root)
  place([root], 0, 0)
  return boxes

  function place (frames: Frame[], left: number, depth: number): void {
    const merged = mergeSame(frames.filter((frame) => !isIdle(frame)))
    for (const { place: own, frames, total } of merged) {
      const width = total / whole
      if (!(width >= NARROWEST)) continue
      boxes.push({ ...own, left, width, depth, total })
      place(frames.flatMap(({ children }) => children), left, depth + 1)
      left += width
    }
  }

  /** V8 tells apart what it optimised anew; for people it is one function. */
  function mergeSame (frames: Frame[]): Array<{ place: Place, frames: Frame[], total: number }> {
    const groups = new Map<string, { place: Place, frames: Frame[], total: number }>()
    for (const frame of frames) {
      const place = placeOf(frame)
      const key = `${place.name}\n${place.where}`
      const group = groups.get(key) ?? { place, frames: [], total: 0 }
      group.frames.push(frame)
      group.total += busyTotal(frame)
      groups.set(key, group)
    }
    return [...groups.values()].sort((a, b) => b.total - a.total)
  }
}

function busyTotal (frame: Frame): number {
  return totalOf(frame) - frame.children.filter(isIdle).reduce((sum, idle) => sum + totalOf(idle), 0)
}
