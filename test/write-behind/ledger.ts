import type { SetResult } from '../../plugins/write-behind/index.js'
import type { Stored } from './numbers.js'

interface Account {
  /** The values count up. */
  sent: number
  /** What each version was acknowledged for. */
  readonly acknowledged: Map<number, number>
  /** Values that may have been kept, or not. */
  readonly unknown: Set<number>
  highest: number
}

/** What was sent, and what of it was acknowledged, by id. */
export class Ledger {
  readonly #accounts = new Map<string, Account>()
  /** Writes that were acknowledged. */
  acknowledged = 0
  /** Those that were not. */
  unknown = 0
  /** Acknowledged writes whose version was not above that of one that had been acknowledged before they were sent. */
  readonly disordered: string[] = []

  /** Sends the next value of the id. @returns whether it was acknowledged */
  async write (id: string, send: (id: string, value: number) => Promise<SetResult>): Promise<boolean> {
    const account = this.#account(id)
    const value = ++account.sent
    const before = account.highest
    let version: number
    try {
      version = (await send(id, value)).version
    } catch {
      account.unknown.add(value)
      this.unknown++
      return false
    }
    if (version <= before) this.disordered.push(`${id}: ${value} got ${version}, after ${before}`)
    account.acknowledged.set(version, value)
    account.highest = Math.max(account.highest, version)
    this.acknowledged++
    return true
  }

  /** @returns what is not as it was promised, a line each */
  compare (rows: ReadonlyMap<string, Stored>): string[] {
    return [...this.#accounts].flatMap(([id, account]) => {
      const row = rows.get(id)
      return faultsOf(account, row).map((fault) => `${id}: ${fault}; it has ${JSON.stringify(row)}`)
    })
  }

  /** Of how many ids the last value was never acknowledged, and is there. */
  kept (rows: ReadonlyMap<string, Stored>): number {
    return [...this.#accounts].filter(([id, { highest }]) => (rows.get(id)?.version ?? 0) > highest).length
  }

  #account (id: string): Account {
    let account = this.#accounts.get(id)
    if (account === undefined) this.#accounts.set(id, account = { sent: 0, acknowledged: new Map(), unknown: new Set(), highest: 0 })
    return account
  }
}

function faultsOf ({ acknowledged, unknown, highest }: Account, row: Stored | undefined): string[] {
  if (row === undefined) return highest === 0 ? [] : [`${highest} was acknowledged and is lost`]
  if (row.version < highest) return [`${highest} was acknowledged, and an older one stands`]
  const value = acknowledged.get(row.version)
  if (value === undefined) return unknown.has(row.value) ? [] : ['it was never sent']
  return value === row.value ? [] : [`${value} was acknowledged under its version`]
}
