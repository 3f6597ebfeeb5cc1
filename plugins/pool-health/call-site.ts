import { fileURLToPath } from 'node:url'

/** Where something was called. It is formatted when it is read, which costs more than all else. */
export interface CapturedStack {
  readonly stack?: string
}

/** Between a route and the pool there can be an ORM. */
const FRAMES = 20

/** The host may have frozen what Node lets it freeze (`--frozen-intrinsics`). */
const canRaise = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')?.writable === true

/** The stack above `below`, a function that is being called. */
export function captureStack (below: (...args: never[]) => unknown, frames = FRAMES): CapturedStack {
  const holder: CapturedStack = {}
  const { stackTraceLimit } = Error
  if (canRaise) Error.stackTraceLimit = frames
  Error.captureStackTrace(holder, below)
  if (canRaise) Error.stackTraceLimit = stackTraceLimit
  return holder
}

/** Of this package: not the application's, also where it is not under node_modules. By name: source maps move them. */
const OWN = /[\\/](?:pool-health[\\/](?:index|unbound-pools|method-layer|pg-queue|pg-watch|pool-watch|mongo-askers|mongo-watch)|shared[\\/](?:request-context|spans))\.[jt]s:/

export interface CallSite {
  /** The first place outside of node_modules, of Node itself and of this plugin, such as `/app/routes/users.js:12:30`; the very first where there is none. */
  site: string
  /** All places, the innermost first. */
  stack: string[]
}

/** Undefined where the host has switched stacks off (`Error.stackTraceLimit = 0`). */
export function callSite (captured: CapturedStack): CallSite | undefined {
  const stack = textOf(captured)
  if (typeof stack !== 'string') return undefined
  const frames = stack.split('\n').map((line) => /^\s+at (.*)$/.exec(line)?.[1]).filter((frame) => frame !== undefined)
  const foreign = frames.filter((frame) => !OWN.test(frame))
  const own = foreign.find((frame) => !/[\\/]node_modules[\\/]|\(?node:|<anonymous>\)?$/.test(frame)) ?? foreign[0]
  if (own === undefined) return undefined
  return { site: placeOf(own), stack: frames }
}

/** `handler (file:///app/users.js:3:1)` without the function's name, and as a path. */
function placeOf (frame: string): string {
  const place = /\(([^()]*)\)$/.exec(frame)?.[1] ?? frame.replace(/^async /, '')
  return place.startsWith('file://') ? pathOf(place) : place
}

/** It is formatted now, by the host where it has set `Error.prepareStackTrace`. */
function textOf (captured: CapturedStack): unknown {
  try {
    return captured.stack
  } catch {
    return undefined
  }
}

function pathOf (url: string): string {
  try {
    return fileURLToPath(url)
  } catch {
    return url
  }
}
