import type { MicroSettings } from './measure-micro.js'
import type { ServerSettings } from './measure-server.js'

export interface Settings {
  micro: MicroSettings
  server: ServerSettings
  /** Whether the control and the expectations count. */
  judged: boolean
  /** How often an entry is measured at most, when its control is off. */
  attempts: number
}

export const FULL: Settings = {
  micro: { rounds: 50, warmUp: 1_000, slice: 50 },
  server: { rounds: 10, warmUp: 3, seconds: 2, connections: 50 },
  judged: true,
  attempts: 3
}

/** Shows that the bench works. Too short for its figures to say anything, so nothing is judged by them. */
export const QUICK: Settings = {
  micro: { rounds: 2, warmUp: 20, slice: 5 },
  server: { rounds: 1, warmUp: 0, seconds: 1, connections: 10 },
  judged: false,
  attempts: 1
}
