import type { Profiler } from 'node:inspector'

/** As V8 writes it: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
export type CpuProfile = Profiler.Profile

/** A function at its place in the call tree. */
export interface Frame {
  name: string
  /** URL of the script; empty for what V8 does itself, such as `(garbage collector)`. */
  url: string
  /** Both from 0; -1 where there is none. */
  line: number
  column: number
  /** Microseconds in the function itself. */
  self: number
  children: Frame[]
}

/** @returns the root, its times added up from the samples */
export function callTree (profile: CpuProfile): Frame {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, {
    name: callFrame.functionName,
    url: callFrame.url,
    line: callFrame.lineNumber,
    column: callFrame.columnNumber,
    self: 0,
    children: [] as Frame[]
  }]))
  for (const { id, children = [] } of profile.nodes) frames.get(id)!.children = children.map((child) => frames.get(child)!)
  for (const [index, id] of profile.samples!.entries()) frames.get(id)!.self += durationOf(profile, index)
  return frames.get(profile.nodes[0]!.id)!
}

/** What was found at a sample went on until the next one. */
function durationOf ({ timeDeltas, startTime, endTime }: CpuProfile, index: number): number {
  const next = timeDeltas![index + 1]
  if (next !== undefined) return Math.max(0, next)
  return Math.max(0, endTime - startTime - timeDeltas!.reduce((sum, delta) => sum + delta, 0))
}

/** Microseconds in the function and all that it called. */
export function totalOf (frame: Frame): number {
  return frame.children.reduce((sum, child) => sum + totalOf(child), frame.self)
}
