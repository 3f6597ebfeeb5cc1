import { setTimeout as delay } from 'node:timers/promises'
import { paces } from '../../helpers/soak.js'
import { GROUP_SIZE, GROUPS, KEYS, moment } from './ledger.js'
import type { Process } from './process.js'

/** What the source has for a key: which one it is, too, so that a value of another key does not go unnoticed. */
export interface Stored {
  readonly key: number
  readonly version: number
}

/** One of the clients: reads at random, in all the ways there are, until it is to stop. */
export async function readNowAndThen (process: Process): Promise<void> {
  // Not all at once.
  await delay(Math.random() * paces.reader)
  for (let late = 0; !process.stopped;) {
    await read(process, late)
    const due = moment() + (0.5 + Math.random()) * paces.reader
    await delay(due - moment())
    late = Math.max(0, moment() - due)
  }
}

async function read (process: Process, late: number): Promise<void> {
  const { cache, resources } = process
  const observed = observing(process, late)
  const key = random(KEYS)
  const group = Math.floor(key / GROUP_SIZE)
  const chance = Math.random()
  if (chance < 0.35) {
    await observed('getOrSet', [key], async () => [await cache.getOrSet(nameOf(key), () => load(process, key), { ttl: '1h', tags: [tagOf(group)] })])
  } else if (chance < 0.5) {
    // The tag is known only by the load.
    await observed('getOrSet', [key], async () => [await cache.getOrSet(nameOf(key), async ({ tags }) => {
      tags(tagOf(group))
      return await load(process, key)
    }, { ttl: '1h' })])
  } else if (chance < 0.75) {
    await observed('resource.get', [key], async () => [await resources[group]!.get(key)])
  } else {
    const keys = keysOf(random(GROUPS))
    const tags = [tagOf(Math.floor(keys[0]! / GROUP_SIZE))]
    await observed('getMany', keys, async () => await cache.getMany(keys, { key: nameOf, load: (missing) => loadMany(process, missing), ttl: '1h', tags }))
  }
}

/** Makes a call, and notes what was wrong with it, and how much of its time was not the source's. */
function observing (process: Process, late: number) {
  const { ledger, loads, isOwn } = process
  return async (call: string, keys: readonly number[], ask: () => Promise<ReadonlyArray<Stored | undefined>>): Promise<void> => {
    const total = (now: number): number => keys.reduce((sum, key) => sum + loads.total(key, now), 0)
    const at = moment()
    const before = total(at)
    try {
      const values = await ask()
      const now = moment()
      const took = now - at
      process.findings.reads.push({ at, call, took, added: Math.max(0, took - (total(now) - before)) })
      keys.forEach((key, index) => {
        const value = values[index]
        if (value?.key !== key) throw new Error(`asked for key ${key}, got ${JSON.stringify(value)}`)
        const superseded = ledger.superseded(key, value.version, at)
        if (superseded !== undefined) process.findings.stale.push({ at, call, key, version: value.version, isOwn: isOwn(key), late, ...superseded })
      })
    } catch (error) {
      process.findings.failures.push({ at, call, message: String(error) })
    }
  }
}

/** Reads the source first, and gives what it read only later: long enough for it to be outdated by then, now and then. */
export async function load (process: Process, key: number): Promise<Stored> {
  const [value] = await loadMany(process, [key])
  return value!
}

async function loadMany ({ ledger, loads }: Process, keys: readonly number[]): Promise<Stored[]> {
  const began = moment()
  for (const key of keys) loads.begin(key, began)
  const values = keys.map((key) => ({ key, version: ledger.version(key) }))
  await delay(Math.random() < 0.1 ? 30 : 1 + random(5))
  const ended = moment()
  for (const key of keys) loads.end(key, ended)
  return values
}

/** Brings the next version to the source, which takes a while before it, and before it says so. */
export async function save ({ ledger }: Process, key: number): Promise<void> {
  await delay(2)
  ledger.change(key)
  await delay(2)
}

export function keysOf (group: number): number[] {
  return Array.from({ length: GROUP_SIZE }, (_, index) => group * GROUP_SIZE + index)
}

export function nameOf (key: number): string {
  return `group${Math.floor(key / GROUP_SIZE)}:${key}`
}

export function tagOf (group: number): string {
  return `tag of group ${group}`
}

export function random (below: number): number {
  return Math.floor(Math.random() * below)
}
